"""From the bytes of a delivery to the posted review, through real processes."""

from __future__ import annotations

import time

from tests.fakes.github import Fault, Pull
from tests.flow.github.conftest import Installed, reviewed, wait_for
from tests.repositories import BAD

CONFIG = ".github/box-review.yml"


def test_opened_pull_request_gets_one_check_one_comment_and_one_review(installed: Installed) -> None:
    pull = installed.opened(installed.repository())
    reviewed(pull)
    seen = installed.seen(pull)
    (run,) = pull.check_runs
    assert (run.name, run.status, run.conclusion) == ("box-review", "completed", "failure")
    assert (run.title or "").startswith("2 findings: 1 high, 1 medium")
    assert run.details_url == f"https://review.example.com/reviews/{review_id(pull)}"
    marked = [(one["path"], one["start_line"], one["annotation_level"]) for one in run.annotations]
    assert marked == [("shop.py", 5, "failure"), ("shop.py", 5, "warning")]
    (comment,) = list(seen.get_issue_comments())
    assert comment.user.login == "box-review[bot]"
    assert "shop.py:5" in comment.body
    assert "analyzers only" in comment.body
    (review,) = list(seen.get_reviews())
    assert (review.state, review.commit_id) == ("COMMENTED", pull.head_sha)
    lines = list(seen.get_review_comments())
    assert [(line.path, line.line, line.body.split("\n")[1][:6]) for line in lines] == [("shop.py", 5, "**High"), ("shop.py", 5, "**Medi")]


def test_change_without_findings_gets_a_grey_check_and_no_review(installed: Installed) -> None:
    shop = installed.repository()
    shop.commit("topic", {"a.md": "# A\n"}, start="main")
    pull = shop.pull(user="ada", head="topic")
    reviewed(pull)
    assert (pull.check_runs[0].conclusion, pull.check_runs[0].title) == ("neutral", "No findings · neutral")
    assert (len(pull.comments), len(pull.reviews)) == (1, 0)


def test_push_is_reviewed_anew_and_says_what_was_fixed(installed: Installed) -> None:
    pull = installed.opened(installed.repository())
    reviewed(pull)
    first = review_id(pull)
    pull.push({"shop.py": "def run(name):\n    return name\n"})
    reviewed(pull)
    assert review_id(pull) != first
    (sticky,) = pull.comments
    assert "**fixed**: 2" in sticky.body
    answers = [one for one in pull.review_comments if one.in_reply_to is not None]
    assert {one.body.splitlines()[1] for one in answers} == {f"Fixed in {pull.head_sha}: ruff, which found it, finds it no more."}
    assert len({one.in_reply_to for one in answers}) == 2


def test_newer_head_stops_the_review_of_the_older(installed: Installed) -> None:
    installed.github.faults.add("GET", r"/compare/", Fault.slow(2.0))
    pull = installed.opened(installed.repository())
    wait_for(lambda: pull.check_runs, "the check of the first head")
    (older,) = pull.check_runs
    pull.push({"more.py": BAD})
    reviewed(pull)
    wait_for(lambda: older.status == "completed", "the end of the older check")
    assert older.conclusion == "cancelled"
    assert len(pull.comments) == 1
    assert {review.commit_id for review in pull.reviews} == {pull.head_sha}


def test_closed_pull_request_is_reviewed_no_further_and_goes_on_when_reopened(installed: Installed) -> None:
    installed.github.faults.add("GET", r"/compare/", Fault.slow(1.5))
    pull = installed.opened(installed.repository())
    wait_for(lambda: pull.check_runs, "the check")
    pull.close()
    reviewed(pull)
    assert pull.check_runs[0].conclusion == "cancelled"
    assert pull.reviews == []
    pull.reopen()
    reviewed(pull, 2)
    assert pull.check_runs[-1].conclusion == "failure"
    assert len(pull.comments) == 1


def test_draft_waits_until_it_is_ready(installed: Installed) -> None:
    pull = installed.opened(installed.repository(), draft=True)
    installed.github.settle()
    nothing_happens(installed, pull)
    pull.ready()
    reviewed(pull)
    assert pull.check_runs[0].conclusion == "failure"


def test_other_base_is_another_review(installed: Installed) -> None:
    shop = installed.repository()
    shop.commit("next", {"other.md": "x\n"}, start="main")
    pull = installed.opened(shop)
    reviewed(pull)
    pull.retarget("next")
    reviewed(pull, 2)
    assert len(pull.comments) == 1


def test_check_that_is_asked_for_again_is_done_again(installed: Installed) -> None:
    pull = installed.opened(installed.repository())
    reviewed(pull)
    pull.rerequest(pull.check_runs[0])
    reviewed(pull, 2)
    pull.rerequest_suite(pull.check_runs[0])
    reviewed(pull, 3)
    assert [run.external_id.rpartition(":")[2] for run in pull.check_runs] == ["1", "2", "3"]
    assert len(pull.comments) == 1


def test_redelivery_is_no_second_review(installed: Installed) -> None:
    pull = installed.opened(installed.repository())
    reviewed(pull)
    installed.github.settle()
    sent = [one for one in installed.github.deliveries if one.event == "pull_request" and one.payload["number"] == pull.number]
    for one in sent:
        installed.github.redeliver(one.id)
    nothing_happens(installed, pull, checks=1)


def test_label_asks_for_a_review_where_the_repository_says_so(installed: Installed) -> None:
    shop = installed.repository(
        **{CONFIG: "github:\n  automatic: false\n  on_label: box-review\n  labels: {failure: needs work, success: fine}\n"}
    )
    pull = installed.opened(shop)
    installed.github.settle()
    nothing_happens(installed, pull)
    pull.label("fine")
    pull.label("box-review")
    reviewed(pull)
    wait_for(lambda: set(pull.labels) == {"box-review", "needs work"}, "the labels")


def test_fork_is_reviewed_as_any_other_also_when_it_is_gone_meanwhile(installed: Installed) -> None:
    shop = installed.repository()
    fork = shop.fork("mallory")
    fork.commit("topic", {"shop.py": BAD}, user="mallory")
    with installed.github.held_deliveries():
        pull = shop.pull(user="mallory", head="mallory:topic")
        installed.github.delete(fork)
    reviewed(pull)
    assert pull.check_runs[0].conclusion == "failure"


def test_first_contribution_waits_where_the_repository_wants_it(installed: Installed) -> None:
    shop = installed.repository(**{CONFIG: "github:\n  strangers: wait\n"})
    fork = shop.fork("mallory")
    fork.commit("topic", {"shop.py": BAD}, user="mallory")
    pull = shop.pull(user="mallory", head="mallory:topic")
    reviewed(pull)
    assert pull.check_runs[0].conclusion == "action_required"
    assert "/box review" in pull.comments[0].body
    said = pull.comment("mallory", "/box review")
    wait_for(lambda: [one.content for one in said.reactions] == ["confused"], "the sign that this is not for strangers")
    pull.comment("ada", "/box review")
    reviewed(pull, 2)
    assert pull.check_runs[-1].conclusion == "failure"


def test_settings_that_cannot_be_used_are_told_with_their_lines_and_never_green(installed: Installed) -> None:
    pull = installed.opened(installed.repository(**{CONFIG: "roles: [security]\nbudget_usd: much\n"}))
    reviewed(pull)
    assert pull.check_runs[0].conclusion == "action_required"
    assert "line 2: budget_usd" in pull.comments[0].body
    assert "line 2: budget_usd" in (pull.check_runs[0].summary or "")


def test_settings_of_the_head_decide_nothing(installed: Installed) -> None:
    shop = installed.repository()
    shop.commit("topic", {"shop.py": BAD, CONFIG: "fail_on: never\nroles: [quality]\n"}, start="main")
    pull = shop.pull(user="ada", head="topic")
    reviewed(pull)
    assert pull.check_runs[0].conclusion == "failure"


def test_organisation_decides_where_a_repository_does_not(installed: Installed) -> None:
    github = installed.github
    github.organization("umbrella")
    general = github.repository("umbrella/.github")
    general.commit("main", {CONFIG: "fail_on: never\nroles: [security]\n"})
    shop = github.repository("umbrella/shop")
    shop.commit("main", {CONFIG: "roles: [quality]\n"})
    shop.commit("topic", {"shop.py": BAD}, start="main")
    pull = shop.pull(user="ada", head="topic")
    reviewed(pull)
    assert pull.check_runs[0].conclusion == "neutral"
    assert "quality" in pull.comments[0].body
    assert "security" not in pull.comments[0].body


def test_ignored_files_are_not_looked_at_and_that_is_said(installed: Installed) -> None:
    shop = installed.repository(**{CONFIG: "paths:\n  ignore: [gen/**]\n"})
    shop.commit("topic", {"gen/shop.py": BAD, "shop.py": "x = 1\n"}, start="main")
    pull = shop.pull(user="ada", head="topic")
    reviewed(pull)
    assert pull.check_runs[0].title == "No findings · neutral"
    assert "gen/\\*\\* were not looked at" in pull.comments[0].body or "gen/** were not looked at" in pull.comments[0].body


def test_findings_are_handed_to_code_scanning_where_that_is_wanted(installed: Installed) -> None:
    installed.github.app.grant(security_events="write")
    pull = installed.opened(installed.repository(**{CONFIG: "github:\n  sarif: true\n"}))
    reviewed(pull)
    (sarif,) = pull.repository.sarifs
    assert (sarif.commit_sha, sarif.ref) == (pull.head_sha, f"refs/pull/{pull.number}/head")
    assert [result["ruleId"] for result in sarif.document["runs"][0]["results"]] == ["command-injection", "unchecked-exit-code"]


def test_pull_request_that_holds_nothing_new_is_said_to(installed: Installed) -> None:
    shop = installed.repository()
    shop.commit("topic", {"a.md": "x\n"}, start="main")
    pull = shop.pull(user="ada", head="topic")
    reviewed(pull)
    shop.commit("main", {"b.md": "y\n"})
    pull.push({"a.md": None})
    reviewed(pull)
    assert pull.check_runs[-1].conclusion == "neutral"


def review_id(pull: Pull) -> str:
    """Of the newest review, as the check links to it."""
    return (pull.check_runs[-1].details_url or "").rpartition("/")[2]


def nothing_happens(installed: Installed, pull: Pull, checks: int = 0) -> None:
    """Deliveries that come to nothing leave no trace."""
    installed.github.settle()
    wait_for(lambda: True, "nothing")
    time.sleep(1.5)
    assert len(pull.check_runs) == checks
