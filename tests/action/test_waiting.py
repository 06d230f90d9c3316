"""A workflow without secrets waits for the App's own review."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from box_review import InputError, Severity
from github.CheckRun import CheckRun

from action import telling
from action.checks import checks
from action.inputs import Awaited, awaited
from action.waiting import Check, Unanswered, wait
from tests.action.app_reviews import begin, end, forks_pull
from tests.action.check_runs import HEAD, REVIEW_ID, TOKEN, check_run, check_runs, listed
from tests.fakes.github import GitHub

DONE = Check(done=True, conclusion="success")
BUSY = Check(done=False)


class Clock:
    """Time that passes while somebody pauses."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now_s

    def pause(self, seconds: float) -> None:
        """Let it pass."""
        self.pauses.append(seconds)
        self.now_s += seconds


def looks(*seen: Check | Exception | None) -> Callable[[], Check | None]:
    """Sees each once, in order, and the last for ever."""
    left = list(seen)

    def look() -> Check | None:
        now = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(now, Exception):
            raise now
        return now

    return look


def waited(*seen: Check | Exception | None, longest_s: float = 1800) -> tuple[Check, Clock]:
    """What waiting comes to."""
    clock = Clock()
    return wait(looks(*seen), longest_s, pause=clock.pause, clock=clock), clock


def test_review_that_is_done_already_is_not_waited_for() -> None:
    check, clock = waited(DONE)
    assert (check, clock.pauses) == (DONE, [])


def test_pauses_are_short_first_and_then_within_what_a_token_may_ask(capsys: pytest.CaptureFixture[str]) -> None:
    check, clock = waited(*[None] * 3, *[BUSY] * 5, DONE)
    assert (check, clock.pauses) == (DONE, [1, 2, 4, 8, 10, 10, 10, 10])
    assert capsys.readouterr().err.split("\n") == ["    0.0 s  the App has not begun", "    7.0 s  the App is reviewing", ""]


def test_app_that_does_not_begin_is_not_waited_for_to_the_end() -> None:
    check, clock = waited(None)
    assert (clock.now_s, check.conclusion, check.exit_code(Severity.HIGH)) == (300, "timed_out", 3)
    assert "the App is not installed" in check.title


def test_waiting_ends_in_time_and_says_where_the_review_stands() -> None:
    check, clock = waited(None, Check(done=False, url="https://github.com/x"), longest_s=90)
    assert (clock.now_s, check.conclusion, check.url) == (90, "timed_out", "https://github.com/x")
    assert check.title == "the App was not done after 1.5 minutes"
    assert waited(None, longest_s=30)[1].now_s == 30


def test_github_that_does_not_answer_is_asked_again() -> None:
    away = Unanswered("GitHub answered 502")
    assert waited(*[away] * 60, DONE)[0] == DONE
    check, clock = waited(BUSY, away, longest_s=60)
    assert (clock.now_s, check.title) == (60, "the App was not done after 1.0 minutes; GitHub answered 502")


@pytest.mark.parametrize(
    ("conclusion", "status", "code"),
    [
        ("success", "completed", 0),
        ("neutral", "completed", 0),
        ("failure", "completed", 1),
        ("action_required", "failed", 3),
        ("timed_out", "timed_out", 3),
        ("cancelled", "cancelled", 3),
        ("skipped", "failed", 3),
        ("", "failed", 3),
    ],
)
def test_step_ends_as_the_review_did(conclusion: str, status: str, code: int) -> None:
    check = Check(done=True, conclusion=conclusion)
    assert (check.status, check.exit_code(Severity.HIGH)) == (status, code)
    assert check.exit_code(None) == (0 if code == 1 else code)  # fail-on: never


def seen(*answers: Any, token: str = TOKEN) -> Check | None:
    """What one look at GitHub shows."""
    with check_runs(*answers) as page, checks(Awaited(page.url, "acme/shop", 7, HEAD, token)) as look:
        found = look()
    assert page.asked == [f"/repos/acme/shop/commits/{HEAD}/check-runs?check_name=box-review&filter=all"]
    return found


def test_check_run_is_read() -> None:
    assert seen(listed(check_run(conclusion="failure"))) == Check(
        done=True, conclusion="failure", title="2 findings", summary="One of them is **high**.", findings=2,
        url="https://github.com/acme/shop/runs/7", review_id=REVIEW_ID,
    )  # fmt: skip
    assert seen(listed()) is None
    assert seen(listed(check_run("in_progress"))) == Check(
        done=False, title="2 findings", summary="One of them is **high**.", findings=2,
        url="https://github.com/acme/shop/runs/7", review_id=REVIEW_ID,
    )  # fmt: skip


@pytest.mark.parametrize(("title", "findings"), [("No findings", 0), ("1 finding (1 high)", 1), ("Reviewed in part", 1), (None, 1)])
def test_findings_are_as_many_as_the_title_says_or_marks_there_are(title: str | None, findings: int) -> None:
    output = {"title": title, "summary": None, "annotations_count": 1}
    check = seen(listed(check_run(conclusion="neutral", output=output, html_url=None, details_url="javascript:x")))
    assert check is not None
    assert (check.findings, check.title, check.summary, check.url, check.review_id) == (findings, title or "", "", "", "")


def test_job_of_a_workflow_is_not_taken_for_the_app() -> None:
    """Threat: a pull request that brings a workflow whose job has the check run's name, and ends at once."""
    own = check_run(conclusion="success", id=9, app={"slug": "github-actions"})
    nobodys = check_run(conclusion="success", id=8, app=None)
    anothers = check_run(conclusion="success", id=10, app={"slug": "another-ci"}, external_id=None)
    assert seen(listed(own, nobodys, anothers)) is None
    check = seen(listed(own, check_run(conclusion="success", id=6), check_run("in_progress"), nobodys))
    assert check is not None
    assert not check.done


def test_review_of_another_pull_request_with_the_same_head_is_not_taken_for_this_ones() -> None:
    """Threat: somebody who opens a second one, to a base against which there is nothing to find."""
    other = check_run(conclusion="success", id=9, external_id=f"1:8:{HEAD}:1")
    assert seen(listed(other)) is None
    check = seen(listed(other, check_run(conclusion="failure")))
    assert check is not None
    assert check.conclusion == "failure"


@pytest.mark.parametrize(
    ("status", "message"), [(502, "x"), (429, "x"), (403, "API rate limit exceeded"), (403, "You have exceeded a secondary rate limit")]
)
def test_trouble_that_passes_is_waited_out(status: int, message: str) -> None:
    with pytest.raises(Unanswered, match=str(status)):
        seen((status, {"message": message}))


@pytest.mark.parametrize(
    ("answer", "token", "said"),
    [
        (listed(), "another", "401: no reason given.*checks: read"),
        ((403, {"message": "Resource not accessible by integration"}), TOKEN, "403: Resource not accessible.*checks: read"),
        ((404, {"message": "Not Found"}), TOKEN, "404.*checks: read"),
        ((422, {"message": "No commit found for SHA"}), TOKEN, "422: No commit found for SHA"),
    ],
    ids=["token", "permission", "repository", "commit"],
)
def test_trouble_that_stays_says_what_is_missing(answer: Any, token: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        seen(answer, token=token)


def test_github_out_of_reach_is_waited_for() -> None:
    with check_runs(listed()) as page:
        url = page.url
    with checks(Awaited(url, "acme/shop", 7, HEAD, TOKEN)) as look, pytest.raises(Unanswered) as raised:
        look()
    assert isinstance(raised.value.__cause__, requests.RequestException)
    assert TOKEN not in repr(Awaited(url, "acme/shop", 7, HEAD, TOKEN))


def test_key_to_the_server_is_used_where_there_is_one() -> None:
    assert awaited({"INPUT_WAIT_FOR_APP": "true", "BOX_REVIEW_API_KEY": "k"}, TOKEN) is None
    assert awaited({"INPUT_WAIT_FOR_APP": "false"}, TOKEN) is None


def test_words_of_a_check_run_are_no_commands() -> None:
    """Threat: whoever writes check runs, or what an App repeats of a change."""
    evil = "x\n::set-env name=PATH::/tmp\r\n##[add-mask]y"
    told = telling.of_check(Check(done=True, conclusion="failure", title=evil, summary=evil, url="https://github.com/x"), Severity.HIGH)
    assert [line.split("::")[1] for line in told.marks] == ["error title=box-review%3A the App's review"]
    assert not any("\n" in line or "\r" in line for line in told.marks)
    assert [line.partition("=")[0] for line in telling.outputs(told.outputs).splitlines()] == list(told.outputs)


def test_apps_review_of_a_forks_pull_request_is_seen_with_the_token_of_its_workflow(tmp_path: Path) -> None:
    with GitHub(tmp_path) as github:
        pull = forks_pull(github)
        begin(
            github, pull, github.token(pull.repository, {"checks": "write"}), conclusion="success"
        )  # a job that is named as the App's run
        mine: list[CheckRun] = []

        def go_on(_: float) -> None:
            if mine:
                end(mine[0], "failure")
            else:
                mine.append(begin(github, pull, status="in_progress"))

        token = github.token(pull.repository, {"checks": "read"})
        with checks(Awaited(github.api_url, "acme/shop", pull.number, pull.head_sha, token)) as look:
            check = wait(look, 60, pause=go_on)
        assert check == Check(
            done=True, conclusion="failure", title="2 findings", summary="One is **high**.", findings=2,
            url=f"{pull.repository.url}/runs/{mine[0].id}", review_id=REVIEW_ID,
        )  # fmt: skip
        assert not github.problems
        without = Awaited(github.api_url, "acme/shop", pull.number, pull.head_sha, github.token(pull.repository, {"contents": "read"}))
        with checks(without) as look, pytest.raises(InputError, match=r"403: Resource not accessible.*checks: read"):
            look()
