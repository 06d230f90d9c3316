"""Begins the work of schedules when its time has come. Times that passed while the server was down are not made up for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog

from runner.api.agent_runs import AgentRuns, Asked
from runner.api.boxes import Boxes
from runner.api.cron import next_time
from runner.api.entries import BoxEntry, Run, Schedule
from runner.api.errors import ApiError, Missing
from runner.api.runs import KEPT_OUTPUT, RunCancelled
from runner.api.wire import Webhook
from runner.api.work import MAX_OUTPUT_BYTES, MAX_S, spoken
from sandbox.box import Box, Command
from sandbox.errors import SandboxError

log = structlog.get_logger()

_LONGEST_SLEEP_S = 3600.0
_AFTER_FAILURE_S = 5.0


class Clock:
    """Watches the schedules of all boxes of a host. A box is on one host, and so each time comes once in a fleet."""

    def __init__(self, boxes: Boxes, agent_runs: AgentRuns) -> None:
        self._boxes, self._agent_runs = boxes, agent_runs
        self._changed = asyncio.Event()
        self._working: dict[str, asyncio.Task[None]] = {}
        self._next: dict[str, tuple[str, str, datetime]] = {}  # box, cron, time

    def changed(self) -> None:
        """Schedules are not as they were."""
        self._changed.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                await self._wait_and_begin()
            except Exception:  # a boundary: the schedules of all would stand still
                log.exception("the clock of schedules failed; it goes on")
                await asyncio.sleep(_AFTER_FAILURE_S)

    async def _wait_and_begin(self) -> None:
        self._changed.clear()
        wait_s = min([_LONGEST_SLEEP_S, *((at - datetime.now(UTC)).total_seconds() for at in self._times())])
        try:
            async with asyncio.timeout(max(0.0, wait_s)):
                await self._changed.wait()
        except TimeoutError:
            self._begin_due(datetime.now(UTC))

    async def settle(self) -> None:
        """The server stops: end what works."""
        for task in self._working.values():
            task.cancel()
        await asyncio.gather(*self._working.values(), return_exceptions=True)

    def _times(self) -> list[datetime]:
        """When each active schedule comes next."""
        active = self._boxes.book.active_schedules()
        kept = {ident: known for ident, known in self._next.items() if active.get(ident) == known[:2]}
        fresh = {ident: (*about, next_time(about[1], datetime.now(UTC))) for ident, about in active.items() if ident not in kept}
        self._next = kept | fresh
        return [at for _, _, at in self._next.values()]

    def _begin_due(self, now: datetime) -> None:
        for ident, (box_id, _, _) in [(ident, known) for ident, known in self._next.items() if known[2] <= now]:
            del self._next[ident]
            try:
                schedule = self._boxes.book.schedule(box_id, ident)
            except Missing:
                continue
            if ident in self._working:
                self._note(schedule, None)
                continue
            task = self._working[ident] = asyncio.ensure_future(self._work(schedule))
            task.add_done_callback(lambda _, ident=ident: self._working.pop(ident))  # type: ignore[misc]

    async def _work(self, schedule: Schedule) -> None:
        """The boundary of one time: whatever goes wrong is kept with the schedule."""
        try:
            entry, box = self._boxes.use_of_anyone(schedule.box_id)
        except Missing:
            self._boxes.book.remove_schedule(schedule.id)
            return
        kinds: dict[str, Callable[[Schedule, BoxEntry, Box], Awaitable[Run]]] = {"exec": self._exec, "prompt": self._prompt}
        try:
            self._note(schedule, await kinds[schedule.type](schedule, entry, box))
        except (SandboxError, ApiError) as error:
            self._boxes.book.log(schedule.box_id, "system", f"schedule {schedule.id} failed: {error}", "error")
            self._note(schedule, None, "failed")

    async def _exec(self, schedule: Schedule, entry: BoxEntry, box: Box) -> Run:
        command = Command(schedule.command or (), cwd=schedule.folder)
        timeout_s = schedule.timeout / 1000 if schedule.timeout else MAX_S
        with self._boxes.runs.keep(entry, "shell", spoken(command), _webhook(schedule), schedule_id=schedule.id) as working:
            try:
                result = await working.do(box.exec(command, timeout_s=timeout_s, max_output_bytes=MAX_OUTPUT_BYTES))
            except RunCancelled:
                return working.run
            working.run.status = "completed" if result.exit_code == 0 else "failed"
            working.run.output = result.stdout.decode("utf-8", "replace")[:KEPT_OUTPUT]
            if result.exit_code:
                said = result.stderr.decode("utf-8", "replace").strip()[-2000:]
                working.run.error_message = f"exit code {result.exit_code}" + (f": {said}" if said else "")
        return working.run

    async def _prompt(self, schedule: Schedule, entry: BoxEntry, box: Box) -> Run:
        asked = Asked(
            schedule.prompt or "",
            schedule.folder,
            options=schedule.agent_options or {},
            webhook=_webhook(schedule),
            model=schedule.model,
            schedule_id=schedule.id,
            timeout_s=schedule.timeout / 1000 if schedule.timeout else MAX_S,
        )
        return await self._agent_runs.begin(entry, box, asked)

    def _note(self, schedule: Schedule, run: Run | None, status: str = "skipped") -> None:
        """Keep what came of one time; it may have been changed or deleted meanwhile."""
        try:
            kept = self._boxes.book.schedule(schedule.box_id, schedule.id)
        except Missing:
            return
        failed = run.status != "completed" if run else status == "failed"
        update: dict[str, object] = {
            "last_run_at": int(time.time()),
            "last_run_status": "failed" if failed else "completed" if run else status,
            "total_runs": kept.total_runs + (run is not None or failed),
            "total_failures": kept.total_failures + failed,
        }
        self._boxes.book.save_schedule(kept.model_copy(update=update | ({"last_run_id": run.id} if run else {})))


def _webhook(schedule: Schedule) -> Webhook | None:
    return Webhook(url=schedule.webhook_url, headers=schedule.webhook_headers or {}) if schedule.webhook_url else None
