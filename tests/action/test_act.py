"""The action in workflows, as a runner runs them: the examples, and this repository's own use of it.

What `act` does not model, and no test here shows: permissions of the token, secrets withheld from forks (none are given), concurrency.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.action.acting import PUBLISHED, ROOT, Act, Ran, install, publish, share_packages
from tests.action.app_reviews import begin, end, forks_pull
from tests.action.check_runs import REVIEW_ID
from tests.fakes.github import GitHub
from tests.repositories import BAD, Repository
from tests.server import Server

pytestmark = pytest.mark.timeout(120)
OWN = """
on: pull_request
jobs:
  review:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v5
      - id: review
        uses: {action}
        with: {inputs}
      - if: always()
        env: {{SEEN: "${{{{ toJSON(steps.review.outputs) }}}}", SARIF: "${{{{ steps.review.outputs.sarif-file }}}}"}}
        run: printf %s "$SEEN" >"$KEPT/seen"; [ -z "$SARIF" ] || cp "$SARIF" "$KEPT/sarif"
"""


@dataclass(frozen=True)
class PullRequest:
    """A checkout, and what GitHub says of it."""

    path: Path
    base: str
    head: str

    def event(self, source: str = "acme/shop") -> Mapping[str, Any]:
        """Of a branch, or of a fork's."""
        return {
            "number": 7,
            "base": {"sha": self.base, "ref": "main", "repo": {"full_name": "acme/shop"}},
            "head": {"sha": self.head, "ref": "change", "repo": {"full_name": source}},
        }


@pytest.fixture(scope="module")
def action(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = publish(tmp_path_factory.mktemp("published"))
    install(made)
    return made


@pytest.fixture
def act(tmp_path: Path, action: Path) -> Act:
    return Act(tmp_path / "home", action)


def pull_request(path: Path) -> PullRequest:
    """One that brings a finding."""
    made = Repository(path)
    base = made.commit({"notes.md": "Nothing to see.\n"})
    return PullRequest(path, base, made.commit({"a.py": BAD}))


def example(name: str, server_url: str = "") -> str:
    """A workflow that users copy, with the address of their server."""
    text = (ROOT / "examples" / "workflows" / f"{name}.yml").read_text()
    return text.replace("https://box-review.example.org", server_url) if server_url else text


def check_review(ran: Ran) -> None:
    """That a review has found what there is, and everything that a workflow is told of it."""
    assert (ran.outputs["conclusion"], ran.outputs["status"], ran.outputs["review-id"][:3]) == ("failure", "completed", "rv-")
    places = {(level, at["file"], at["line"]) for level, at, _ in ran.marks if "file" in at}
    assert places == {("error", "a.py", "5"), ("warning", "a.py", "5")}
    assert any(at["title"].startswith("high: A shell runs a command") for _, at, _ in ran.marks if "file" in at)
    assert int(ran.outputs["findings"]) == len([at for _, at, _ in ran.marks if "file" in at])
    assert ran.summary.startswith("### ✗ failure · 1 high, 1 medium")
    assert "`a.py:5` · security" in ran.summary


def test_example_reviews_a_forks_pull_request_on_the_runner(act: Act, tmp_path: Path, data_dir: Path) -> None:
    change = pull_request(tmp_path / "work")
    ran = act.run(
        change.path, example("box-review"), change.event("mallory/shop"), BOX_DATA_DIR=str(data_dir / "d"), BOX_DRIVER="bubblewrap"
    )
    assert (ran.succeeded, ran.code) == (False, 1), ran
    check_review(ran)
    said = [text for level, at, text in ran.marks if level == "notice"]
    assert said == ["A pull request of a fork gets no secrets, so no key of a model and no server is given: analyzers review alone."]
    assert ran.outputs["review-url"] == ""
    assert "<html" in (ran.kept / "box-review").read_text()  # the artifact


def test_example_asks_the_server(act: Act, tmp_path: Path, server: Server) -> None:
    change = pull_request(tmp_path / "work")
    key = server.address.api_key
    ran = act.run(change.path, example("server", server.url), change.event(), {"BOX_REVIEW_API_KEY": key})
    assert (ran.succeeded, ran.code) == (False, 1), ran
    check_review(ran)
    assert ran.outputs["review-url"] == f"{server.url}/reviews/{ran.outputs['review-id']}"
    assert ran.outputs["review-id"] in (ran.kept / "box-review").read_text()
    assert key not in ran.log


@pytest.mark.parametrize(
    ("name", "conclusion", "code"), [("server", "success", 0), ("wait-for-app", "failure", 1), ("wait-for-app", "action_required", 3)]
)
def test_example_waits_for_the_app_where_there_is_no_secret(name: str, conclusion: str, code: int, act: Act, tmp_path: Path) -> None:
    with GitHub(tmp_path / "github") as github:
        pull = forks_pull(github)
        end(begin(github, pull), conclusion)
        token = github.token(pull.repository, {"contents": "read", "checks": "read"})
        [opened] = [delivery.payload for delivery in github.deliveries if delivery.event == "pull_request"]
        workspace = Repository(tmp_path / "work").path
        ran = act.run(
            workspace, example(name), opened["pull_request"], {"GITHUB_TOKEN": token},
            GITHUB_API_URL=github.api_url, GITHUB_REPOSITORY="acme/shop",
        )  # fmt: skip
        assert not github.problems
    assert (ran.succeeded, ran.code) == (not code, code), ran
    shown = {name: ran.outputs[name] for name in ("conclusion", "findings", "review-id", "review-url", "sarif-file")}
    assert shown == {
        "conclusion": conclusion, "findings": "2", "review-id": REVIEW_ID,
        "review-url": f"{pull.repository.url}/runs/{pull.check_runs[0].id}", "sarif-file": "",
    }  # fmt: skip
    assert [level for level, _, _ in ran.marks] == ["error" if code else "notice"]
    assert ran.summary.startswith("### ")


@pytest.fixture
def own(tmp_path: Path) -> Callable[[Callable[[Path], None]], PullRequest]:
    """This repository with a pull request that brings a finding, checked out; `uses: ./` is the action then."""

    def make(prepare: Callable[[Path], None]) -> PullRequest:
        made = Repository(publish(tmp_path / "own"))
        base = made.commit({})
        head = made.commit({"a.py": BAD})
        prepare(made.path)
        return PullRequest(made.path, base, head)

    return make


def test_own_repository_installs_the_action_and_reviews_on_the_runner(own: Any, act: Act, data_dir: Path) -> None:
    """The first step for real, but for downloads."""
    change = own(share_packages)
    workflow = OWN.format(action="./", inputs='{"driver": "bubblewrap", "roles": "security quality"}')
    ran = act.run(change.path, workflow, change.event(), MAKEFLAGS="", BOX_DATA_DIR=str(data_dir / "d"))
    assert (ran.succeeded, ran.code) == (False, 1), ran
    assert "installing the locked dependencies (app)" in ran.log
    check_review(ran)
    assert json.loads((ran.kept / "seen").read_text()) == ran.outputs  # what later steps see
    sarif = json.loads((ran.kept / "sarif").read_text())
    assert (sarif["version"], len(sarif["runs"][0]["results"])) == ("2.1.0", 2)


def test_own_repository_asks_a_server_and_never_fails_for_findings(own: Any, act: Act, server: Server) -> None:
    inputs = {"server-url": server.url, "api-key": "${{ secrets.KEY }}", "fail-on": "never", "roles": "security quality"}
    change = own(install)
    ran = act.run(change.path, OWN.format(action="./", inputs=json.dumps(inputs)), change.event(), {"KEY": server.address.api_key})
    assert (ran.succeeded, ran.code, ran.outputs["conclusion"]) == (True, 0, "neutral"), ran
    assert [level for level, at, _ in ran.marks if at.get("file") == "a.py"] == ["error", "warning"]
    assert json.loads((ran.kept / "sarif").read_text())["version"] == "2.1.0"


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"fail-on": "sometimes"}, "the input fail-on cannot be 'sometimes'"),
        ({"server-url": "https://box-review.example.org", "api-key": "${{ secrets.KEY }}"}, "as secrets are in pull requests of forks"),
    ],
    ids=["word", "no-secret"],
)
def test_inputs_that_cannot_be_used_are_one_error(inputs: dict[str, str], said: str, act: Act, tmp_path: Path) -> None:
    change = pull_request(tmp_path / "work")
    ran = act.run(change.path, OWN.format(action=PUBLISHED, inputs=json.dumps(inputs)), change.event("mallory/shop"))
    assert (ran.succeeded, ran.code) == (False, 2), ran
    [(level, _, text)] = ran.marks
    assert (level, said in text) == ("error", True), text
    assert not any(ran.outputs.values())
