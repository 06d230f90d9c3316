"""Routes of schedules: commands and prompts that begin by the clock, in UTC."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter

from runner.api.context import TheClock, UsedBox
from runner.api.entries import Schedule
from runner.api.errors import BadInput, TooLarge
from runner.api.wire import ChangeSchedule, NewSchedule
from runner.api.work import folder_of, new_id

MAX_SCHEDULES = 100
router = APIRouter(prefix="/v2/box/{box_id}/schedules")


@router.post("")
async def create(used: UsedBox, clock: TheClock, body: NewSchedule) -> dict[str, Any]:
    """A new schedule, active at once."""
    if body.type == "prompt" and used.entry.agent is None:
        raise BadInput(f"box {used.entry.id} has no agent that could be asked")
    if len(used.book.schedules(used.entry.id)) >= MAX_SCHEDULES:
        raise TooLarge(f"a box has {MAX_SCHEDULES} schedules at most")
    now = int(time.time())
    about = {"id": new_id("schedule"), "box_id": used.entry.id, "customer_id": used.entry.tenant, "created_at": now, "updated_at": now}
    schedule = Schedule(**about, **body.model_dump(exclude={"folder"}), folder=folder_of(body.folder))
    used.book.save_schedule(schedule)
    clock.changed()
    return _shown(schedule)


@router.get("")
async def list_schedules(used: UsedBox) -> list[dict[str, Any]]:
    """All of a box, oldest first."""
    return [_shown(schedule) for schedule in used.book.schedules(used.entry.id)]


@router.get("/{schedule_id}")
async def get(used: UsedBox, schedule_id: str) -> dict[str, Any]:
    """One of them."""
    return _shown(used.book.schedule(used.entry.id, schedule_id))


@router.patch("/{schedule_id}")
async def change(used: UsedBox, clock: TheClock, schedule_id: str, body: ChangeSchedule) -> dict[str, Any]:
    """Change what is named, clear what is named and empty."""
    schedule = used.book.schedule(used.entry.id, schedule_id)
    changes = {name: getattr(body, name) for name in body.model_fields_set if getattr(body, name) is not None or name == "agent_options"}
    other = "prompt" if schedule.type == "exec" else "command"
    if other in changes:
        raise BadInput(f"{other}: a schedule of type {schedule.type} has none")
    cleared = {name: value or None for name, value in changes.items()}
    if missing := [name for name in ("cron", "command", "prompt") if name in cleared and cleared[name] is None]:
        raise BadInput(f"{missing[0]}: a schedule cannot be without it")
    if "folder" in cleared:
        cleared["folder"] = folder_of(body.folder)
    return _kept(used, clock, schedule, cleared)


@router.post("/{schedule_id}/pause")
async def pause(used: UsedBox, clock: TheClock, schedule_id: str) -> dict[str, Any]:
    """Let its times pass."""
    return _kept(used, clock, used.book.schedule(used.entry.id, schedule_id), {"status": "paused"})


@router.post("/{schedule_id}/resume")
async def resume(used: UsedBox, clock: TheClock, schedule_id: str) -> dict[str, Any]:
    """Begin again at its next time."""
    return _kept(used, clock, used.book.schedule(used.entry.id, schedule_id), {"status": "active"})


@router.delete("/{schedule_id}")
async def delete(used: UsedBox, clock: TheClock, schedule_id: str) -> dict[str, Any]:
    """Forget it; what it has begun goes on."""
    used.book.remove_schedule(used.book.schedule(used.entry.id, schedule_id).id)
    clock.changed()
    return {}


def _kept(used: UsedBox, clock: TheClock, schedule: Schedule, changes: dict[str, Any]) -> dict[str, Any]:
    changed = schedule.model_copy(update={**changes, "updated_at": int(time.time())})
    used.book.save_schedule(changed)
    clock.changed()
    return _shown(changed)


def _shown(schedule: Schedule) -> dict[str, Any]:
    """A schedule object; what is not set is left out."""
    return schedule.model_dump(exclude_none=True)
