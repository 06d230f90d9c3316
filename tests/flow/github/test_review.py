"""From the bytes of a delivery to the posted review, through real processes."""

from __future__ import annotations

from tests.flow.github.conftest import Installed, reviewed


def test_opened_pull_request_gets_one_check_one_comment_and_one_review(installed: Installed) -> None:
    pull = installed.opened(installed.repository())
    reviewed(pull)
    seen = installed.seen(pull)
    (run,) = pull.check_runs
    assert (run.name, run.status, run.conclusion) == ("box-review", "completed", "failure")
    assert "finding" in run.output["title"]
    (comment,) = list(seen.get_issue_comments())
    assert comment.user.login == "box-review[bot]"
    assert "The whole" not in comment.body
    (review,) = list(seen.get_reviews())
    assert (review.state, review.commit_id) == ("COMMENTED", pull.head_sha)
    (line,) = [one for one in seen.get_review_comments() if one.path == "shop.py" and one.line == 5]
    assert "**High: " in line.body
