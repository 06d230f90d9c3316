"""The boxes of a tenant as they are at this moment, asked from the hosts that hold them."""

from __future__ import annotations

import re
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

from box_review.finding import ContractModel
from pydantic import TypeAdapter, ValidationError

from bot.errors import Refused
from bot.fleet import Fleet
from bot.scatter import Scatter

LINES = 500
_REVIEW = re.compile("rv-[0-9a-z]{16}")
_WORDS = {"paused": "frozen", "idle": "awake", "running": "awake, at work"}


class TenantBox(ContractModel):
    """One box. Times in seconds since 1970."""

    id: str
    status: str
    name: str = ""
    size: str = ""
    keep_alive: bool = False
    labels: tuple[str, ...] = ()
    agent: str = ""
    created_at: float = 0
    last_activity_at: float = 0
    expires_at: float | None = None

    @property
    def state(self) -> str:
        """What it does, in the words of people."""
        return _WORDS.get(self.status, self.status)

    @property
    def review(self) -> str:
        """The review it belongs to, empty if none."""
        return next((label for label in self.labels if "review" in self.labels and _REVIEW.fullmatch(label)), "")

    @property
    def can(self) -> str:
        """What may be asked of it now: `resume`, `freeze` or nothing."""
        if self.status == "paused":
            return "resume"
        return "freeze" if self.status in ("idle", "running") and not self.keep_alive else ""


class LogLine(ContractModel):
    """One line of a box's log; `timestamp` in seconds since 1970."""

    timestamp: float
    level: str = ""
    source: str = ""
    message: str = ""


class BoxRun(ContractModel):
    """One thing that ran in a box."""

    id: str
    type: str
    status: str
    prompt: str = ""
    output: str = ""
    error_message: str = ""
    cost_usd: float = 0.0
    duration_ms: float = 0
    created_at: float


_M = TypeVar("_M")
_box: TypeAdapter[TenantBox] = TypeAdapter(TenantBox)
_boxes: TypeAdapter[list[TenantBox]] = TypeAdapter(list[TenantBox])
_lines: TypeAdapter[list[LogLine]] = TypeAdapter(list[LogLine])
_runs: TypeAdapter[list[BoxRun]] = TypeAdapter(list[BoxRun])


class TenantBoxes:
    """What the dashboard asks of boxes. Everything raises Refused: the box is not there, is not his, or its host does not answer."""

    def __init__(self, fleet: Fleet, tenant: str) -> None:
        self._fleet, self._tenant = fleet, tenant
        self._hosts = Scatter(fleet, tenant)

    async def all(self, label: str = "") -> list[TenantBox]:
        """All boxes, or those with a label, last used first."""
        query = f"?{urlencode({'label': label})}" if label else ""
        found = [box for boxes in await self._hosts.ask_all("GET", f"/v2/box{query}") for box in boxes]
        boxes = _read(_boxes, found)
        return sorted(boxes, key=lambda box: -box.last_activity_at)

    async def change(self, reference: str, action: str) -> None:
        """Freeze or resume a box by id or name, and wait until it is done."""
        await self._ask("POST", reference, {"freeze": "/pause", "resume": "/resume"}[action])

    async def get(self, reference: str) -> TenantBox:
        """One box."""
        return _read(_box, await self._ask("GET", reference, ""))

    async def logs(self, reference: str, offset: int) -> list[LogLine]:
        """So many lines of its log from one on, oldest first."""
        said = await self._ask("GET", reference, f"/logs?offset={offset}&limit={LINES}")
        return _read(_lines, said.get("logs"))

    async def runs(self, reference: str) -> list[BoxRun]:
        """What ran in it, newest first."""
        return _read(_runs, (await self._ask("GET", reference, "/runs")).get("runs"))

    async def _ask(self, method: str, reference: str, rest: str) -> Any:
        place = await self._fleet.of_box(self._tenant, reference)
        return await self._hosts.ask(place, method, f"/v2/box/{quote(reference, safe='')}{rest}")


def _read(model: TypeAdapter[_M], said: Any) -> _M:
    try:
        return model.validate_python(said)
    except ValidationError as error:
        raise Refused("the host of the boxes answers in a way this front does not understand", 502) from error
