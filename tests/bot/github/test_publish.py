"""What stands at GitHub in the end, whatever happens on the way: one check, one comment, one review, nothing twice."""

from __future__ import annotations

import asyncio
import time

import pytest
from box_review import Conclusion, Earlier, EarlierState, ReviewRecord

from bot.github.decide import Said
from runner.reviews import ReviewState
from tests.bot.github.at_desk import AtDesk, found, judged, verdict
from tests.fakes.github import Fault, Pull

CONFIG = {".github/box-review.yml": "github:\n  labels: {failure: needs work, success: fine}\n  sarif: true\n"}
MENDED = {"shop.py": "def run(name):\n    return name\n"}
WRITES = {
    "token": ("POST", r"/access_tokens$"),
    "check": ("POST", r"/check-runs$"),
    "check-changed": ("PATCH", r"/check-runs/\d+$"),
    "comment": ("POST", r"/issues/1/comments$"),
    "comment-changed": ("PATCH", r"/issues/comments/\d+$"),
    "review": ("POST", r"/pulls/1/reviews$"),
    "answer-in-thread": ("POST", r"/replies$"),
    "reaction": ("POST", r"/reactions$"),
    "label": ("POST", r"/labels$"),
    "label-removed": ("DELETE", r"/labels/"),
    "sarif": ("POST", r"/code-scanning/sarifs$"),
}
PASSING = {
    "cut-after-write": Fault.CUT_AFTER_WRITE,
    "cut-before": Fault.CUT_BEFORE,
    "500": Fault.answers(500),
    "502": Fault.answers(502),
    "503": Fault.answers(503),
    "408": Fault.answers(408),
    "409": Fault.answers(409),
    "429": Fault.secondary_limit(0, 429),
    "secondary-limit": Fault.secondary_limit(0),
    "slow": Fault.slow(0.2),
    "bad-credentials": Fault.answers(401, "Bad credentials"),
}
ESSENTIAL = ("token", "check", "comment", "review")
LASTING = {
    "403": Fault.answers(403, "Resource not accessible by integration"),
    "404": Fault.answers(404, "Not Found"),
    "422": Fault.answers(422, "Validation Failed"),
}


def either(review: ReviewState) -> ReviewRecord:
    """A verdict with findings; after it one that says all are fixed."""
    if review.request.before is None:
        return verdict(review)
    kept = ("id", "fingerprint", "path", "start_line", "severity", "title")
    gone = [Earlier(**one.model_dump(include=set(kept)), state=EarlierState.FIXED, how="nobody finds it") for one in found()]
    return judged(review, findings=(), earlier=tuple(gone), conclusion=Conclusion.SUCCESS)


async def whole_life(at: AtDesk, faults: dict[str, Fault]) -> Pull:
    """A pull request that makes the App write everything it ever writes; the first write of each kind meets its fault."""
    at.verdict = either
    pull = at.pull(at.repository(**CONFIG))
    pull.repository.known_labels.clear()
    for name, fault in faults.items():
        at.github.faults.add(*WRITES[name], fault)
    await at.reviewed(pull)
    said = pull.comment("ada", "/box status")
    await at.tell(pull, Said(comment_id=said.id, author="ada", body=said.body))
    await at.work(pull)
    pull.push(MENDED)
    await at.reviewed(pull)
    return pull


def single(pull: Pull) -> None:
    """One check, one comment and one review of a pull request that was reviewed once."""
    (run,) = pull.check_runs
    assert (run.status, run.conclusion, len(run.annotations)) == ("completed", "failure", 2)
    (sticky,) = pull.comments
    assert "Trouble 1" in sticky.body
    (review,) = pull.reviews
    assert len(review.comments) == 2


def counted(pull: Pull) -> dict[str, int]:
    """How often each thing stands there, after a whole life."""
    ours = [one for one in pull.comments if one.app is not None]
    return {
        "check": len(pull.repository.check_runs),
        "annotations": sum(len(run.annotations) for run in pull.repository.check_runs),
        "comment": sum("sticky" in one.body for one in ours),
        "answer": sum("sticky" not in one.body for one in ours),
        "review": sum(bool(one.body) for one in pull.reviews),
        "line": sum(one.in_reply_to is None for one in pull.review_comments),
        "thread": sum(one.in_reply_to is not None for one in pull.review_comments),
        "reaction": sum(len(one.reactions) for one in pull.comments),
        "label": len(pull.labels),
        "sarif": len(pull.repository.sarifs),
    }


WHOLE = {
    "check": 2, "annotations": 2, "comment": 1, "answer": 1, "review": 1, "line": 2, "thread": 2, "reaction": 1, "label": 1, "sarif": 2,
}  # fmt: skip


async def goes_on(at: AtDesk) -> None:
    """The next pull request is reviewed as if nothing had been."""
    at.github.faults.clear()
    at.verdict = verdict
    pull = at.pull()
    await at.reviewed(pull)
    single(pull)


async def test_verdict_becomes_one_check_one_comment_and_one_review(at: AtDesk) -> None:
    pull = at.pull()
    await at.reviewed(pull)
    single(pull)


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
async def test_what_passes_doubles_and_loses_nothing(at: AtDesk, fault: Fault) -> None:
    pull = await whole_life(at, dict.fromkeys(WRITES, fault))
    assert len(at.github.faults.met) >= len(WRITES)
    at.github.faults.met.clear()
    assert {run.conclusion for run in pull.repository.check_runs} == {"failure", "success"}
    # An analysis of the same commit takes the place of the one before.
    assert counted(pull) | {"sarif": 2} == WHOLE
    assert pull.labels == ["fine"]


@pytest.mark.parametrize(
    ("write", "fault"),
    [
        pytest.param(write, fault, id=f"{write}-{name}")
        for name, fault in LASTING.items()
        for write in WRITES
        if name == "403" or write in ESSENTIAL
    ],
)
async def test_refusal_of_one_part_costs_only_that_part(at: AtDesk, write: str, fault: Fault) -> None:
    pull = await whole_life(at, {write: fault})
    counts = counted(pull)
    assert {name: count for name, count in counts.items() if count > WHOLE[name]} == {}
    lost = {
        "check": {"check", "annotations"}, "check-changed": {"annotations"}, "comment": {"answer"}, "review": {"review", "line", "thread"},
        "answer-in-thread": {"thread"}, "reaction": {"reaction", "answer"}, "sarif": {"sarif"},
    }.get(write, {write})  # fmt: skip
    assert {name for name, count in counts.items() if count < WHOLE[name]} <= lost
    assert {run.status for run in pull.repository.check_runs} == {"completed"}
    assert pull.check_runs[-1].conclusion == "success"


async def test_hour_without_calls_is_waited_for(at: AtDesk) -> None:
    async def waits(write: str) -> None:
        pull = at.pull(at.repository(f"patient-{write}"))
        at.github.faults.add("POST", f"{pull.repository.full_name}{WRITES[write][1]}", Fault.primary_limit(6))
        began = time.monotonic()
        await at.reviewed(pull)
        assert time.monotonic() - began >= 5
        assert len([one for one in at.github.requests if pull.repository.full_name in one.path]) < 60
        single(pull)

    await asyncio.gather(*map(waits, ("check", "comment", "review")))
