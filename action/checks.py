"""Check runs on GitHub, read by PyGithub with a workflow's own token."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import github
import requests
from box_review.errors import InputError
from github.CheckRun import CheckRun

from action.inputs import Awaited
from action.waiting import CHECK, Check, Look, Unanswered

CALL_S = 15
_WORKFLOWS = "github-actions"
_EXTERNAL_ID = re.compile(r"\d+:(\d+):[0-9a-f]+:\d+")
"""The App's name for its check run: repository, pull request, head and attempt."""


@contextmanager
def checks(awaited: Awaited) -> Iterator[Look]:
    """Looks at the check runs of a commit, which needs `checks: read`. Looking raises Unanswered, or InputError where it is refused."""
    api = github.Github(auth=github.Auth.Token(awaited.token), base_url=awaited.api_url, timeout=CALL_S, retry=None, lazy=True)
    commit = api.get_repo(awaited.repository).get_commit(awaited.head_sha)

    def look() -> Check | None:
        try:
            runs = [run for run in commit.get_check_runs(check_name=CHECK, filter="all") if _by_the_app(run, awaited.pull_request)]
        except github.GithubException as error:
            raise _refusal(error) from error
        except requests.RequestException as error:
            raise Unanswered(f"GitHub did not answer ({type(error).__name__})") from error
        return _check(max(runs, key=lambda run: run.id)) if runs else None

    with api:
        yield look


def _by_the_app(run: CheckRun, pull_request: int) -> bool:
    """Jobs of workflows and checks of other apps can have any name, and other pull requests the same head."""
    if run.app is None or run.app.slug == _WORKFLOWS:
        return False
    named = _EXTERNAL_ID.fullmatch(run.external_id or "")
    return named is not None and int(named[1]) == pull_request


def _check(run: CheckRun) -> Check:
    title, summary = run.output.title or "", run.output.summary or ""
    counted = re.search(r"\b(no|\d{1,6}) findings?\b", title, re.IGNORECASE)
    url = next((url for url in (run.html_url, run.details_url) if re.match(r"https?://\S+$", url or "")), "")
    named = re.search(r"\brv-[0-9a-z]{16}\b", run.details_url or "")
    return Check(
        done=run.status == "completed",
        conclusion=run.conclusion or "",
        title=title,
        summary=summary,
        findings=run.output.annotations_count if counted is None else 0 if counted[1].lower() == "no" else int(counted[1]),
        url=url,
        review_id=named[0] if named else "",
    )


def _refusal(error: github.GithubException) -> Exception:
    """What GitHub answered instead: something to wait out, or something to put right."""
    if error.status >= 500 or error.status == 429 or isinstance(error, github.RateLimitExceededException):
        return Unanswered(f"GitHub answered {error.status}")
    hint = "; the job needs `permissions: checks: read`" if error.status in (401, 403, 404) else ""
    return InputError(f"GitHub does not show the check runs of this commit ({error.status}: {error.message or 'no reason given'}){hint}")
