"""What runs in boxes for callers, from its beginning to its end: kept account of, cancelled, and told of."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from runner.api.book import Book
from runner.api.entries import BoxEntry, Run
from runner.api.errors import Missing
from runner.api.webhooks import Webhooks
from runner.api.wire import Webhook
from runner.api.work import new_id

_T = TypeVar("_T")

KEPT_OUTPUT = 100_000
_KEPT_PROMPT = 4000


class RunCancelled(Exception):
    """Somebody has ended the run early."""


@dataclass(eq=False)
class OpenRun:
    """A run that has not ended. `on_cancel` is what ends its work early."""

    run: Run
    cancelled: bool = False
    on_cancel: Callable[[], Awaitable[None]] | None = None

    async def do(self, doing: Coroutine[Any, Any, _T]) -> _T:
        """Do the work of the run, so that cancelling ends it. Raises RunCancelled."""
        if self.cancelled:  # before it began
            doing.close()
            raise RunCancelled
        work = asyncio.ensure_future(doing)

        async def cancel() -> None:
            work.cancel()
            await asyncio.wait([work], timeout=10)

        self.on_cancel = cancel
        try:
            return await work
        except asyncio.CancelledError:
            if self.cancelled:
                raise RunCancelled from None
            raise


class Runs:
    """All runs of a host."""

    def __init__(self, book: Book, webhooks: Webhooks) -> None:
        self._book, self._webhooks = book, webhooks
        self._open: dict[tuple[str, str], OpenRun] = {}

    @contextlib.contextmanager
    def keep(
        self, entry: BoxEntry, kind: Literal["agent", "shell"], prompt: str, webhook: Webhook | None = None, **more: Any
    ) -> Iterator[OpenRun]:
        """Keep account of a run, and of its end however it comes. Whoever works on it sets its status; left running, it was
        cancelled, and it has failed with an error."""
        started = time.time()
        run = Run(
            id=new_id("run"),
            box_id=entry.id,
            customer_id=entry.tenant,
            type=kind,
            status="running",
            prompt=prompt[:_KEPT_PROMPT],
            webhook=webhook,
            created_at=int(started),
            **more,
        )
        self._book.save_run(run)
        working = self._open[run.box_id, run.id] = OpenRun(run)
        try:
            yield working
        except Exception as error:
            run.status, run.error_message = "failed", str(error) or type(error).__name__
            raise
        finally:
            del self._open[run.box_id, run.id]
            if working.cancelled or run.status == "running":
                run.status = "cancelled"
            run.duration_ms, run.completed_at = int((time.time() - started) * 1000), int(time.time())
            self._ended(run)

    async def cancel(self, box_id: str, run_id: str) -> None:
        """End a run early. One that has ended stays as it is. Raises Missing."""
        working = self._open.get((box_id, run_id))
        if working is None:
            self._book.run(box_id, run_id)
            return
        working.cancelled = True
        if working.on_cancel is not None:
            await working.on_cancel()

    def end_interrupted(self) -> None:
        """Runs that a server that died has left behind have failed; whoever was not told yet, is."""
        for run in self._book.unfinished_runs():
            if run.status == "running":
                run.status, run.completed_at, run.error_message = "failed", int(time.time()), "the server stopped meanwhile"
            self._ended(run)

    def _ended(self, run: Run) -> None:
        with contextlib.suppress(Missing):
            self._book.box_of_anyone(run.box_id)  # deleted, it has taken its runs with it
            self._book.save_run(run)
        if run.webhook is not None:
            self._webhooks.tell(run.customer_id, run.webhook, _told(run), lambda problem: self._was_told(run, problem))

    def _was_told(self, run: Run, problem: str | None) -> None:
        run.webhook = None
        with contextlib.suppress(Missing):
            self._book.run(run.box_id, run.id)  # gone with its box, it must not come back
            self._book.save_run(run)
            if problem is not None:
                self._book.log(run.box_id, "system", f"the webhook of run {run.id} was not taken: {problem}", "warn")


def _told(run: Run) -> dict[str, Any]:
    """What a webhook says of a run."""
    said: dict[str, Any] = {"box_id": run.box_id, "run_id": run.id, "status": "completed" if run.status == "completed" else "failed"}
    said |= run.model_dump(include={"output", "schedule_id"}, exclude_none=True)
    if run.status != "completed":
        said["error"] = run.error_message or ("the run was cancelled" if run.status == "cancelled" else "the command failed")
    tokens = {"input_tokens": run.input_tokens, "output_tokens": run.output_tokens, "cached_input_tokens": run.cached_input_tokens or 0}
    return said | {"metadata": {**tokens, "cost_usd": run.cost_usd, "duration_ms": run.duration_ms}}
