"""Each comparison is begun, answered and posted once, whatever dies, gets lost or comes twice."""

from __future__ import annotations

import contextlib
import time

import pytest

from tests.bot.github.at_desk import AtDesk
from tests.bot.github.shadow.said import (
    answers,
    comparisons,
    saying,
    untouched,
)
from tests.fakes.github import Fault, Pull


class Died(Exception):
    """What stands for the end of a process."""


def dying(at: AtDesk, step: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Die instead of keeping a state for the `step`th time; returns a list that grows by each time."""
    kept, eval_ = list[int](), at.desk.pulls.redis.eval

    async def counted(script: str, *arguments: str) -> object:
        if "'lrem'" in script:
            kept.append(len(kept))
            if len(kept) == step:
                raise Died
        return await eval_(script, *arguments)  # type: ignore[misc, arg-type]

    monkeypatch.setattr(at.desk.pulls.redis, "eval", counted)
    return kept


@pytest.mark.parametrize("step", range(1, 12))
async def test_worker_that_dies_after_any_step_leaves_one_comment_of_each(
    at: AtDesk, pull: Pull, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever it has done and not noted down, the next one goes on from there."""
    made, said = saying(pull)
    await at.tell(pull, said)
    kept, ends = dying(at, step, monkeypatch), time.monotonic() + 20
    while f"{pull.repository.id}:1" in await at.desk.pulls.open():
        assert time.monotonic() < ends
        with contextlib.suppress(Died):
            await at.tend(pull)
            for shadow in (await at.state(pull)).shadows:
                await at.further(pull, shadow)
    assert len(kept) > step
    assert (len(answers(pull, made)), len(comparisons(pull))) == (1, 1)
    untouched(pull)


@pytest.mark.parametrize(
    "fault", [Fault.CUT_AFTER_WRITE, Fault.CUT_BEFORE, Fault.answers(502), Fault.answers(503), Fault.secondary_limit(0)],
    ids=["cut after write", "cut before", "502", "503", "limit"],
)  # fmt: skip
@pytest.mark.parametrize("which", ["answer", "comparison"])
async def test_answer_of_github_that_is_lost_makes_no_second_comment(at: AtDesk, pull: Pull, fault: Fault, which: str) -> None:
    made, said = saying(pull)
    await at.tell(pull, said)
    if which == "comparison":
        await at.tend(pull)
    at.github.faults.add("POST", rf"/{pull.repository.full_name}/issues/1/comments$", fault)
    await at.work(pull)
    assert at.github.faults.met
    assert (len(answers(pull, made)), len(comparisons(pull))) == (1, 1)


async def test_command_that_comes_twice_is_one(at: AtDesk, pull: Pull) -> None:
    """Another delivery of the same comment, while the comparison runs."""
    made, said = saying(pull)
    await at.tell(pull, said)
    await at.tend(pull)
    first = (await at.state(pull)).shadows
    await at.tell(pull, said)
    await at.tend(pull)
    assert [one.review_id for one in (await at.state(pull)).shadows] == [one.review_id for one in first]
    await at.work(pull)
    assert (len(answers(pull, made)), len(comparisons(pull))) == (1, 1)
