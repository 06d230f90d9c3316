"""What a running review is doing, shown on standard error while it runs.

On a terminal there is one line per box, kept up to date; elsewhere each event is a line of its own.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from box_review.events import FinishedEvent, LaneEvent, ReviewEvent, RoleEvent
from box_review.live import OnTerminal
from box_review.review import Conclusion, RoleStatus
from box_review.sanitize import for_terminal

LANES_SHOWN = 20

_ENDED = {"frozen": ("✓", "green"), "failed": ("✗", "red")}
_ROLE_ENDED = {
    RoleStatus.COMPLETED: ("✓", "green"),
    RoleStatus.FAILED: ("✗", "red"),
    RoleStatus.TIMED_OUT: ("✗", "red"),
    RoleStatus.SKIPPED: ("-", "dim"),
}
_CONCLUDED = {Conclusion.SUCCESS: "bold green", Conclusion.FAILURE: "bold red"}


@dataclass
class _Lane:
    """The last that is known of one box; the times are seconds since the review was queued."""

    stage: str = "waiting"
    since_s: float = 0.0
    ended_s: float | None = None
    box: str = ""
    note: str = ""
    findings: int | None = None
    sign: str = ""
    style: str = ""


class Progress(OnTerminal):
    """Shows the events of one review while its `with` block runs, and leaves the terminal as it was.

    Args:
        quiet: show nothing.
        console: where to show it; None for standard error, which honours `NO_COLOR`.
        clock: seconds that only grow, for the time a stage has taken so far.
    """

    def __init__(self, *, quiet: bool = False, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(quiet=quiet, console=console)
        self._clock = clock
        self._lanes: dict[str, _Lane] = {}
        self._last_at_s = 0.0
        self._last_seen = clock()
        self._finished: FinishedEvent | None = None
        self._spinner = Spinner("dots", style="cyan")

    def _shown(self) -> dict[str, Any]:
        return {"get_renderable": self._table}

    def show(self, event: ReviewEvent) -> None:
        """Take in the next event and show what it changes."""
        if math.isfinite(event.at_s) and event.at_s >= self._last_at_s:
            self._last_at_s, self._last_seen = event.at_s, self._clock()
        self._take(event)
        if self._quiet or self._live is not None:
            return
        self._print(_line(event, self._last_at_s))

    def _take(self, event: ReviewEvent) -> None:
        if isinstance(event, LaneEvent):
            self._move(self._lane(event.lane), event)
        elif isinstance(event, RoleEvent):
            self._end(self._lane(event.role), event)
        else:
            self._finished = event

    def _lane(self, name: str) -> _Lane:
        return self._lanes.setdefault(for_terminal(name), _Lane(since_s=self._last_at_s))

    def _move(self, lane: _Lane, event: LaneEvent) -> None:
        lane.stage, lane.since_s, lane.note = event.stage, self._last_at_s, for_terminal(event.note)
        lane.box = " ".join(filter(None, (for_terminal(event.box_id), for_terminal(event.driver)))) or lane.box
        if event.stage in _ENDED:
            lane.sign, lane.style = _ENDED[event.stage]
            lane.ended_s = self._last_at_s

    def _end(self, lane: _Lane, event: RoleEvent) -> None:
        lane.findings, lane.note = event.findings, for_terminal(event.error or "")
        if event.status in _ROLE_ENDED:
            lane.sign, lane.style = _ROLE_ENDED[event.status]
        if event.status is not RoleStatus.COMPLETED:
            lane.stage, lane.ended_s = event.status.replace("_", " "), self._last_at_s

    def _now_s(self) -> float:
        return self._last_at_s if self._finished else self._last_at_s + self._clock() - self._last_seen

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2, 0, 0))
        for most in (1, 20, 14, 8, 12, 40, None):
            table.add_column(no_wrap=True, overflow="ellipsis", max_width=most)
        now_s = self._now_s()
        for name, lane in list(self._lanes.items())[:LANES_SHOWN]:
            table.add_row(*self._cells(name, lane, now_s))
        if len(self._lanes) > LANES_SHOWN:
            table.add_row("", Text(f"and {len(self._lanes) - LANES_SHOWN} more", style="dim"))
        table.add_row(*self._last_row(now_s))
        return table

    def _cells(self, name: str, lane: _Lane, now_s: float) -> tuple[Text | Spinner, ...]:
        # The spinner is one object for all lanes, so that they turn together.
        sign = Text(lane.sign, style=lane.style) if lane.sign else self._spinner
        ended_s = now_s if lane.ended_s is None else lane.ended_s
        taken = "" if lane.ended_s is not None else f"{max(0.0, ended_s - lane.since_s):.0f} s"
        found = "" if lane.findings is None else _found(lane.findings)
        dim = (Text(lane.box, style="dim"), Text(lane.note, style="dim"))
        return (sign, Text(name, style="bold"), Text(lane.stage, style=lane.style), Text(taken, justify="right"), Text(found), *dim)

    def _last_row(self, now_s: float) -> tuple[Text, ...]:
        total = Text(f"{now_s:.0f} s", justify="right")
        if self._finished is None:
            return (Text(), Text("review", style="dim"), Text("running" if self._lanes else "queued", style="dim"), total)
        said = self._finished.conclusion.replace("_", " ")
        return (Text(), Text("review", style="bold"), Text(said, style=_CONCLUDED.get(self._finished.conclusion, "bold yellow")), total)


def _found(findings: int) -> str:
    return f"{findings} finding" if findings == 1 else f"{findings} findings"


def _line(event: ReviewEvent, at_s: float) -> str:
    """One event as one line of plain text."""
    parts: tuple[str | None, ...]
    if isinstance(event, LaneEvent):
        parts = (f"{event.lane}:", event.stage, event.box_id, event.driver, event.note and f"({event.note})")
    elif isinstance(event, RoleEvent):
        parts = (f"{event.role}:", event.status.replace("_", " "), _found(event.findings), event.error and f"({event.error})")
    else:
        parts = ("review:", event.status.replace("_", " "), event.conclusion.replace("_", " "))
    return for_terminal(" ".join([f"{at_s:7.1f} s ", *filter(None, parts)]))
