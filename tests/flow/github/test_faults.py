"""GitHub stumbles, refuses and forgets to answer while real processes review; and changes of every shape.

All pull requests are opened at once and reviewed side by side: a lost answer is waited for, and nobody else has to wait for that.
`tests/bot/github` has every write with every fault, in one process.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.fakes.github import Fault, Pull, executable, submodule, symlink
from tests.flow.github.conftest import Installed, reviewed, wait_for
from tests.repositories import BAD

LONG_S = 75.0
PASSING = {
    "check-made-answer-lost": ("POST", r"/check-runs$", Fault.CUT_AFTER_WRITE),
    "check-ended-answer-lost": ("PATCH", r"/check-runs/\d+$", Fault.CUT_AFTER_WRITE),
    "comment-made-answer-lost": ("POST", r"/issues/1/comments$", Fault.CUT_AFTER_WRITE),
    "review-made-answer-lost": ("POST", r"/pulls/1/reviews$", Fault.CUT_AFTER_WRITE),
    "review-cut-before": ("POST", r"/pulls/1/reviews$", Fault.CUT_BEFORE),
    "review-gateway-timeout": ("POST", r"/pulls/1/reviews$", Fault.answers(504)),
    "comment-secondary-limit": ("POST", r"/issues/1/comments$", Fault.secondary_limit(1)),
    "review-too-many": ("POST", r"/pulls/1/reviews$", Fault.secondary_limit(1, 429)),
    "comment-primary-limit": ("PATCH", r"/issues/comments/\d+$", Fault.primary_limit(2)),
    "unavailable": ("GET", r"/pulls/1$", Fault.answers(503)),
    "git-unavailable": ("*", r"/info/refs", Fault.answers(503)),
    "token-refused": ("GET", r"/compare/", Fault.answers(401, "Bad credentials")),
    "comparison-slow": ("GET", r"/compare/", Fault.slow(3.0)),
}
BINARY = bytes(range(256)) * 40
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'ab' * 32}\nsize 123456\n"
CHANGES: Mapping[str, Mapping[str, object]] = {
    "many-files": {f"d{number % 20}/f{number}.md": f"# {number}\n" for number in range(320)},
    "binary": {"logo.png": BINARY},
    "lfs-pointer": {".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n", "model.bin": POINTER},
    "submodule": {"vendor/lib": submodule("1" * 40)},
    "symlink": {"passwords": symlink("/etc/passwd"), "up": symlink("../../../..")},
    "mode": {"README.md": executable("shop\n")},
    "renamed": {"kept.md": None, "moved.md": "kept\n" * 30},
    "removed": {"kept.md": None},
}


@pytest.fixture(scope="module")
def opened(served: Installed) -> dict[str, Pull]:
    """A pull request for each case, in an organisation of its own: limits are those of one installation."""
    pulls = {name: _faulty(served, name, *about) for name, about in PASSING.items()}
    pulls |= {name: _changed(served, name, files) for name, files in CHANGES.items()}
    pulls["long-words"] = _changed(served, "long-words", {"shop.py": BAD}, title="t" * 256, body="b" * 65_536)
    return pulls


def _faulty(served: Installed, name: str, method: str, path: str, fault: Fault) -> Pull:
    owner = f"o-{name}"
    served.github.organization(owner)
    shop = served.github.repository(f"{owner}/shop")
    served.github.faults.add(method, f"/{owner}/shop{'.git' if 'refs' in path else ''}{'.*' if 'sha' in path else ''}{path}", fault)
    shop.commit("topic", {"shop.py": BAD})
    return shop.pull(user="ada", head="topic", title="Run it")


def _changed(served: Installed, name: str, files: Mapping[str, object], **words: str) -> Pull:
    shop = served.github.repository(f"o-{name}/shop")
    shop.commit("main", {"kept.md": "kept\n" * 30})
    shop.commit("topic", files)  # type: ignore[arg-type]
    return shop.pull(user="ada", head="topic", **words)  # type: ignore[arg-type]


def single(pull: Pull) -> None:
    """One of each, and nothing twice."""
    # The verdict does not wait for a review whose answer got lost; that follows.
    wait_for(lambda: pull.reviews and pull.check_runs and pull.check_runs[0].status == "completed", "the review", LONG_S)
    (run,) = pull.check_runs
    assert (run.conclusion, len(run.annotations)) == ("failure", 2)
    assert ["shop.py:5" in comment.body for comment in pull.comments] == [True]
    assert [len(review.comments) for review in pull.reviews] == [2]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", PASSING)
def test_what_passes_is_waited_for_and_doubles_nothing(installed: Installed, opened: dict[str, Pull], name: str) -> None:
    single(opened[name])
    assert any(f"/o-{name}/shop" in request.path for request in installed.github.faults.met)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", CHANGES)
def test_change_of_any_shape_is_reviewed_or_said_not_to_be(installed: Installed, opened: dict[str, Pull], name: str) -> None:
    pull = opened[name]
    wait_for(lambda: pull.check_runs and pull.check_runs[0].status == "completed", "the review", LONG_S)
    (run,) = pull.check_runs
    assert run.conclusion in ("neutral", "failure"), run.summary
    (comment,) = pull.comments
    assert "was not reviewed" not in comment.body
    assert installed.server.process.poll() is None


def test_words_as_long_as_github_allows_are_no_trouble(installed: Installed, opened: dict[str, Pull]) -> None:
    single(opened["long-words"])


def test_empty_change_is_told_to_be_one(installed: Installed) -> None:
    shop = installed.repository()
    shop.commit("topic", {})
    pull = shop.pull(user="ada", head="topic")
    reviewed(pull)
    assert pull.check_runs[0].conclusion == "neutral"


def test_deliveries_in_another_order_are_one_review(installed: Installed) -> None:
    with installed.github.held_deliveries() as held:
        pull = installed.opened(installed.repository())
        pull.close()
        pull.reopen()
        pull.push({"more.md": "x\n"})
        held.reverse()
    reviewed(pull)
    installed.github.settle()
    single(pull)
    assert len(pull.repository.check_runs) == 1


def test_tokens_that_end_early_are_replaced(installed: Installed) -> None:
    pull = installed.opened(installed.repository())
    reviewed(pull)
    installed.github.expire_tokens()
    pull.push({"more.md": "x\n"})
    reviewed(pull)
    assert len(pull.comments) == 1


def test_check_that_may_not_be_made_is_told_in_the_comment(installed: Installed) -> None:
    shop = installed.github.repository("o-checkless/shop")
    place = shop.installation
    assert place is not None
    del place.permissions["checks"]
    shop.commit("topic", {"shop.py": BAD})
    pull = shop.pull(user="ada", head="topic")
    wait_for(lambda: pull.comments and "shop.py:5" in pull.comments[0].body, "the review")
    assert "GitHub did not take a check" in pull.comments[0].body
    assert pull.check_runs == []
    single(installed.opened(installed.repository()))
