"""All questions of a comparison, some at once: what is in the store already is not asked again."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

from box_review.comparison.answer import Answer, Status, not_run
from box_review.comparison.base import remove_left
from box_review.comparison.budget import Budget, BudgetUsedUp
from box_review.comparison.plan import Ask
from box_review.comparison.running import FAULTS, Ground, ask_agent
from box_review.comparison.store import Store

BUDGET = "budget"


@dataclass(frozen=True)
class Step:
    """Something that was asked for has come to its end.

    Attributes:
        name: of the cell or vote.
        known: it was in the store already.
    """

    name: str
    answer: Answer
    known: bool
    done: int
    total: int


Watcher = Callable[[Step], None]


@dataclass(frozen=True)
class Desk:
    """Where questions are answered.

    Attributes:
        again: ask again what failed before.
    """

    ground: Ground
    store: Store
    budget: Budget
    at_once: int
    watch: Watcher
    again: bool = False

    def ask_all(self, kind: str, asks: Mapping[str, Ask]) -> dict[str, Answer]:
        """Answers by the names of `asks`. `kind` is the folder they are kept in.

        Raises:
            KeyboardInterrupt: after the boxes at work were deleted; what was answered is kept.
        """
        found: dict[str, Answer] = {}
        asks = _told_apart(asks)
        for name, ask in asks.items():
            known = self.store.get(kind, ask.key(self.ground.digest), Answer)
            if known is not None and not (self.again and known.status is Status.FAILED):
                self.budget.count(known.cost_usd)
                found[name] = known
                self.watch(Step(name, known, True, len(found), len(asks)))
        self._work(kind, {name: ask for name, ask in asks.items() if name not in found}, found, len(asks))
        return {name: found[name] for name in asks}

    def _work(self, kind: str, asks: Mapping[str, Ask], found: dict[str, Answer], total: int) -> None:
        pool = ThreadPoolExecutor(self.at_once, thread_name_prefix="compare")
        doing = {pool.submit(self._one, kind, ask): name for name, ask in asks.items()}
        try:
            while doing:
                self._take_in(wait(doing, return_when=FIRST_COMPLETED).done, doing, found, total)
        except BaseException:
            self.ground.stopping.set()
            pool.shutdown(wait=False, cancel_futures=True)
            with contextlib.suppress(*FAULTS):  # what is at work ends with its box
                remove_left(self.ground.boxes, self.ground.label)
            raise
        finally:
            pool.shutdown()

    def _take_in(self, done: Iterable[Future[Answer]], doing: dict[Future[Answer], str], found: dict[str, Answer], total: int) -> None:
        for future in done:
            name = doing.pop(future)
            found[name] = future.result()
            self.watch(Step(name, found[name], False, len(found), total))

    def _one(self, kind: str, ask: Ask) -> Answer:
        key = ask.key(self.ground.digest)
        try:
            share = self.budget.take()
        except BudgetUsedUp:
            return not_run(key, BUDGET)
        cost = 0.0
        try:
            answer = ask_agent(self.ground, ask, share)
            cost = answer.cost_usd
        finally:
            self.budget.settle(share, cost)
        if share is not None and answer.status is Status.FAILED and cost >= share:
            return not_run(key, BUDGET).model_copy(update={"cost_usd": cost})
        if not self.ground.stopping.is_set():
            self.store.put(kind, key, answer)
        return answer


def _told_apart(asks: Mapping[str, Ask]) -> dict[str, Ask]:
    """The same questions, those that are alike numbered in their order."""
    seen: Counter[str] = Counter()
    made = {}
    for name, ask in asks.items():
        key = ask.key("")
        made[name] = replace(ask, twin=seen[key])
        seen[key] += 1
    return made
