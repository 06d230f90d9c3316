"""Reviews by the App, as the fake GitHub shows them: what an App writes there, without an App."""

from __future__ import annotations

from typing import Any

import github as pygithub
from github.CheckRun import CheckRun
from github.Repository import Repository

from tests.action.check_runs import REVIEW_ID
from tests.fakes.github import GitHub, Pull
from tests.repositories import BAD


def forks_pull(github: GitHub) -> Pull:
    """A pull request from a fork, with something to find."""
    shop = github.repository("acme/shop")
    shop.fork("mallory").commit("change", {"a.py": BAD}, user="mallory")
    return shop.pull(user="mallory", head="mallory:change")


def begin(github: GitHub, pull: Pull, token: str = "", **more: Any) -> CheckRun:
    """Open the check run: the App, unless the token is of somebody else."""
    named: dict[str, Any] = {
        "external_id": f"{pull.repository.id}:{pull.number}:{pull.head_sha}:1",
        "details_url": f"https://x.example/reviews/{REVIEW_ID}",
    }
    where = _repository(github, pull, token or github.installation_token(pull.repository))
    return where.create_check_run("box-review", pull.head_sha, **named, **more)


def end(run: CheckRun, conclusion: str) -> None:
    """Complete it."""
    mark = {"path": "a.py", "start_line": 5, "end_line": 5, "annotation_level": "failure", "message": "A shell runs a command."}
    run.edit(conclusion=conclusion, output={"title": "2 findings", "summary": "One is **high**.", "annotations": [mark]})


def _repository(github: GitHub, pull: Pull, token: str) -> Repository:
    api = pygithub.Github(auth=pygithub.Auth.Token(token), base_url=github.api_url, retry=None, lazy=True, seconds_between_writes=0)
    return api.get_repo(pull.repository.full_name)
