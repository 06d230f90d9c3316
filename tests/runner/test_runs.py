"""Runs are kept account of however they end, and whoever asked is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.api.book import Book
from runner.api.entries import BoxEntry
from runner.api.errors import Missing
from runner.api.runs import RunCancelled, Runs
from runner.api.wire import Webhook

HOOK = Webhook(url="https://example.com/hook")


class _Told:
    """Takes what webhooks would say; `answer` is what comes of it."""

    def __init__(self) -> None:
        self.payloads: list[dict[str, Any]] = []
        self.answer: str | None = None

    def tell(self, tenant: str, webhook: Webhook, payload: dict[str, Any], told: Callable[[str | None], None]) -> None:
        assert (tenant, webhook) == ("t1", HOOK)
        self.payloads.append(payload)
        told(self.answer)


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    opened = Book(tmp_path / "api.sqlite")
    opened.add_box(BoxEntry(id="bx1", tenant="t1", created_at=1, updated_at=1, last_activity_at=1))
    yield opened
    opened.close()


@pytest.fixture
def told() -> _Told:
    return _Told()


@pytest.fixture
def runs(book: Book, told: _Told) -> Runs:
    return Runs(book, told)  # type: ignore[arg-type]


def test_run_that_raises_has_failed_and_says_why(book: Book, runs: Runs, told: _Told) -> None:
    with pytest.raises(OSError, match="box is gone"), runs.keep(book.box("t1", "bx1"), "shell", "x", HOOK):
        raise OSError("the box is gone")
    assert [(run.status, run.error_message) for run in book.runs("bx1")] == [("failed", "the box is gone")]
    assert [(payload["status"], payload["error"]) for payload in told.payloads] == [("failed", "the box is gone")]


async def test_run_whose_caller_goes_was_cancelled(book: Book, runs: Runs) -> None:
    async def work() -> None:
        with runs.keep(book.box("t1", "bx1"), "shell", "x") as working:
            await working.do(asyncio.sleep(60))

    task = asyncio.create_task(work())
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [run.status for run in book.runs("bx1")] == ["cancelled"]


@pytest.mark.parametrize("early", [True, False], ids=["before-its-work", "during-its-work"])
async def test_cancelled_run_ends_whenever_it_is_cancelled(book: Book, runs: Runs, early: bool) -> None:
    with runs.keep(book.box("t1", "bx1"), "shell", "x") as working:
        if early:
            await runs.cancel("bx1", working.run.id)
        else:
            asyncio.get_running_loop().call_later(0.05, lambda: asyncio.ensure_future(runs.cancel("bx1", working.run.id)))
        with pytest.raises(RunCancelled):
            await working.do(asyncio.sleep(60))
    ended = book.runs("bx1")[0]
    assert ended.status == "cancelled"
    await runs.cancel("bx1", ended.id)
    with pytest.raises(Missing):
        await runs.cancel("bx1", "none")


def test_server_that_died_has_failed_its_runs_and_the_next_one_tells(book: Book, told: _Told) -> None:
    context = Runs(book, told).keep(book.box("t1", "bx1"), "agent", "x", HOOK)  # type: ignore[arg-type]
    context.__enter__()  # and never left: the process was killed
    book.log("bx1", "system", "restart")
    Runs(book, told).end_interrupted()  # type: ignore[arg-type]
    assert [(run.status, run.error_message) for run in book.runs("bx1")] == [("failed", "the server stopped meanwhile")]
    assert [payload["status"] for payload in told.payloads] == ["failed"]
    Runs(book, told).end_interrupted()  # type: ignore[arg-type]
    assert len(told.payloads) == 1


def test_end_that_could_not_be_told_is_told_by_the_next_server(book: Book, told: _Told) -> None:
    told.tell = lambda *_: None  # type: ignore[method-assign]  # the server stops while it is being sent
    with Runs(book, told).keep(book.box("t1", "bx1"), "agent", "x", HOOK) as working:  # type: ignore[arg-type]
        working.run.status, working.run.output = "completed", "done"
    later = _Told()
    Runs(book, later).end_interrupted()  # type: ignore[arg-type]
    assert [(payload["status"], payload["output"]) for payload in later.payloads] == [("completed", "done")]


def test_webhook_that_is_not_taken_is_in_the_log_of_its_box(book: Book, runs: Runs, told: _Told) -> None:
    told.answer = "it answered 500"
    with runs.keep(book.box("t1", "bx1"), "agent", "x", HOOK) as working:
        working.run.status = "completed"
    assert "it answered 500" in book.logs("bx1", 0, 10)[0]["message"]
