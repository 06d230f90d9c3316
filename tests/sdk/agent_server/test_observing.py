"""Observing costs who is observed nothing: it neither waits nor raises, what has no room is counted, what arrives arrives once."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from box_review.agent_server import observing, outbox
from box_review.agent_server.observing import Observer
from box_review.agent_server.tenant_box import MemoryFull


class Boxes:
    """Takes batches as tenants' boxes do: a batch that is known counts once."""

    def __init__(self) -> None:
        self.batches: dict[str, dict[str, list[str]]] = {}
        self.tries = 0
        self.failing: dict[str, Exception] = {}
        self.lost_answers: set[str] = set()
        self.held = threading.Event()
        self.held.set()

    def take(self, tenant: str, batch: str, observations: Sequence[Mapping[str, Any]]) -> None:
        self.tries += 1
        assert self.held.wait(20)
        if tenant in self.failing:
            raise self.failing[tenant]
        self.batches.setdefault(tenant, {})[batch] = [observation["request"] for observation in observations]
        if tenant in self.lost_answers:
            self.lost_answers.remove(tenant)
            raise ConnectionError("the answer got lost")

    def of(self, tenant: str) -> list[str]:
        return [request for batch in sorted(self.batches.get(tenant, {})) for request in self.batches[tenant][batch]]


def test_observations_arrive_in_order_each_at_its_tenant() -> None:
    boxes = Boxes()
    observer = Observer(boxes.take)
    for number in range(1000):
        assert observer.observe(f"t{number % 3}", f"request {number}", "ok")
    assert observer.close()
    assert [boxes.of(f"t{tenant}") for tenant in range(3)] == [
        [f"request {number}" for number in range(tenant, 1000, 3)] for tenant in range(3)
    ]
    assert (observer.counts.taken, observer.counts.delivered, observer.counts.waiting, observer.counts.dropped) == (1000, 1000, 0, 0)
    assert not observer.observe("t0", "after the end")


def test_what_has_no_room_is_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observing, "MOST_WAITING", 50)
    boxes = Boxes()
    boxes.held.clear()
    observer = Observer(boxes.take)
    taken = sum(observer.observe("t", f"{number}") for number in range(500))
    counts = observer.counts
    assert (counts.taken, counts.dropped) == (taken, 500 - taken)
    assert counts.dropped
    boxes.held.set()
    assert observer.close()
    assert len(boxes.of("t")) == taken


def test_large_bodies_take_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observing, "MOST_BYTES", 25 << 20)
    boxes = Boxes()
    boxes.held.clear()
    observer = Observer(boxes.take)
    body = b"x" * (10 << 20)
    assert observer.observe("t", "first, so that the thread is held")
    assert sum(observer.observe("t", body) for _ in range(20)) <= 6
    boxes.held.set()
    assert observer.close()
    assert all(len(request) < 9000 for request in boxes.of("t"))


def test_one_tenant_that_cannot_be_reached_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MOST_OF_TENANT", 10)
    boxes = Boxes()
    boxes.failing["bad"] = ConnectionError("no route")
    observer = Observer(boxes.take)
    for number in range(30):
        observer.observe("bad", f"{number}")
        observer.observe(f"good {number % 5}", f"{number}")
    assert not observer.flush(1.0)
    assert [boxes.of(f"good {tenant}") for tenant in range(5)] == [[f"{number}" for number in range(tenant, 30, 5)] for tenant in range(5)]
    assert (observer.counts.waiting, observer.counts.dropped) == (10, 20)
    assert "no route" in observer.counts.last_error
    del boxes.failing["bad"]
    assert observer.close()
    assert boxes.of("bad") == [f"{number}" for number in range(10)]


def test_box_that_hangs_holds_up_no_other_tenant() -> None:
    class Hanging(Boxes):
        def take(self, tenant: str, batch: str, observations: Sequence[Mapping[str, Any]]) -> None:
            if tenant == "hung":
                assert released.wait(30)
            super().take(tenant, batch, observations)

    released, boxes = threading.Event(), Hanging()
    observer = Observer(boxes.take)
    observer.observe("hung", "one")
    observer.flush(0.5)
    for number in range(20):
        observer.observe("good", f"{number}")
    assert not observer.flush(3.0)
    assert boxes.of("good") == [f"{number}" for number in range(20)]
    released.set()
    assert observer.close()


def test_tenants_that_fail_give_way_to_those_that_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MOST", 30)
    monkeypatch.setattr(outbox, "MOST_IN_BATCH", 5)
    boxes = Boxes()
    boxes.failing = {f"bad {number}": ConnectionError("no route") for number in range(3)}
    observer = Observer(boxes.take)
    for number in range(10):
        for tenant in boxes.failing:
            observer.observe(tenant, f"{number}")
    observer.flush(1.0)
    for number in range(15):
        observer.observe("good", f"{number}")
    observer.flush(3.0)
    assert boxes.of("good") == [f"{number}" for number in range(15)]
    assert 0 < observer.counts.dropped <= 15


def test_process_that_was_forked_observes_too() -> None:
    boxes = Boxes()
    observer = Observer(boxes.take)
    observer.observe("t", "of the parent")
    assert observer.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # later Pythons warn of threads
        child = os.fork()
    if child == 0:
        observer.observe("t", "of the child")
        os._exit(0 if observer.flush(5) and boxes.of("t") == ["of the parent", "of the child"] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert observer.close()
    assert boxes.of("t") == ["of the parent"]


def test_batch_whose_answer_got_lost_comes_again_under_its_name() -> None:
    boxes = Boxes()
    boxes.lost_answers.add("t")
    observer = Observer(boxes.take)
    observer.observe("t", "one")
    observer.flush(0.3)
    observer.observe("t", "two")
    assert observer.close()
    assert boxes.of("t") == ["one", "two"]
    assert boxes.tries == 3


def test_refused_batch_is_counted_and_not_tried_again() -> None:
    boxes = Boxes()
    boxes.failing["t"] = MemoryFull("it is full")
    observer = Observer(boxes.take)
    observer.observe("t", "one")
    assert observer.close()
    assert (boxes.tries, observer.counts.dropped, observer.counts.last_error) == (1, 1, "it is full")


class Hostile(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("no items")


@pytest.mark.parametrize(
    "given",
    [("t", object()), ("t", {"a": {1, 2}}), ("t", b"\xff\xfe\x00"), ("t", "\ud800"), ("", "x"), (None, "x"), ("t", "x", None, Hostile())],
    ids=["object", "set", "bytes", "half a letter", "no tenant", "tenant None", "hostile metadata"],
)
def test_whatever_is_observed_nothing_is_raised(given: tuple[Any, ...]) -> None:
    boxes = Boxes()
    observer = Observer(boxes.take)
    observer.observe(*given)
    observer.observe("t", "the next")
    assert observer.close()
    assert boxes.of("t")[-1] == "the next"


def test_redaction_that_raises_costs_its_observation_only() -> None:
    def redact(text: str) -> str:
        if "poison" in text:
            raise ValueError("cannot redact")
        return text.replace("Blue", "[colour]")

    boxes = Boxes()
    observer = Observer(boxes.take, redact=redact)
    for text in ("poison", "Blue is nice", "mail me at a@b.example, key ghp_" + "a1" * 18):
        observer.observe("t", text)
    assert observer.close()
    assert boxes.of("t") == ["[colour] is nice", "mail me at [email], key [credential]"]
    assert observer.counts.dropped == 1


def test_sample_takes_its_share() -> None:
    observer = Observer(Boxes().take, sample=0.2)
    taken = sum(observer.observe("t", "x") for _ in range(2000))
    assert observer.close()
    assert 250 < taken < 550
    assert observer.counts.skipped == 2000 - taken
