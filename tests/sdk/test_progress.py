"""Progress shows each box, and leaves the terminal as it was."""

from __future__ import annotations

import io

import pytest
from box_review.events import FinishedEvent, LaneEvent, ReviewEvent, RoleEvent
from box_review.progress import Progress
from box_review.review import Conclusion, ReviewStatus, RoleStatus
from rich.console import Console

from tests.sdk.records import ESCAPES, HIDDEN

EVENTS: tuple[ReviewEvent, ...] = (
    LaneEvent(at_s=0.1, lane="security", stage="checking out", box_id="bx-1", driver="bubblewrap"),
    LaneEvent(at_s=1.2, lane="security", stage="reviewing"),
    RoleEvent(at_s=9.0, role="security", status=RoleStatus.COMPLETED, findings=3),
    RoleEvent(at_s=9.5, role="quality", status=RoleStatus.TIMED_OUT, error="stopped after 9 s"),
    FinishedEvent(at_s=10.0, status=ReviewStatus.PARTIAL, conclusion=Conclusion.NEUTRAL),
)


def terminal(**options) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=110, height=30, _environ={"TERM": "xterm"} | options)


def pipe() -> Console:
    return Console(file=io.StringIO(), force_terminal=False, width=30, _environ={})


def shown(console: Console, *events: ReviewEvent) -> str:
    with Progress(console=console) as progress:
        for event in events:
            progress.show(event)
    return console.file.getvalue()


def test_elsewhere_each_event_is_one_plain_line():
    lines = shown(pipe(), *EVENTS).splitlines()
    assert [line.strip() for line in lines] == [
        "0.1 s  security: checking out bx-1 bubblewrap",
        "1.2 s  security: reviewing",
        "9.0 s  security: completed 3 findings",
        "9.5 s  quality: timed out 0 findings (stopped after 9 s)",
        "10.0 s  review: partial neutral",
    ]


def test_a_terminal_shows_every_lane():
    screen = shown(terminal(), *EVENTS)
    for said in ("security", "bx-1 bubblewrap", "3 findings", "timed out", "stopped after 9 s", "neutral"):
        assert said in screen


def test_a_stage_counts_its_seconds():
    console, now = terminal(), [100.0]
    with Progress(console=console, clock=lambda: now[0]) as progress:
        progress.show(LaneEvent(at_s=5.0, lane="security", stage="reviewing"))
        now[0] = 137.0
    assert "37 s" in console.file.getvalue()
    assert "42 s" in console.file.getvalue()


def test_no_colour_is_honoured():
    assert "\x1b[32m" in shown(terminal(), *EVENTS)
    assert "\x1b[32m" not in shown(terminal(NO_COLOR="1"), *EVENTS)


def test_quiet_shows_nothing():
    for console in (terminal(), pipe()):
        with Progress(console=console, quiet=True) as progress:
            for event in EVENTS:
                progress.show(event)
        assert console.file.getvalue() == ""


@pytest.mark.parametrize("stopped_by", [RuntimeError, KeyboardInterrupt])
def test_the_cursor_comes_back_whatever_happens(stopped_by):
    console = terminal()
    with pytest.raises(stopped_by), Progress(console=console) as progress:
        progress.show(EVENTS[0])
        raise stopped_by
    screen = console.file.getvalue()
    assert screen.rindex("\x1b[?25h") > screen.rindex("\x1b[?25l")


def test_hostile_events_stay_words():
    hostile = ESCAPES + HIDDEN + "[red]x[/red]\n\n"
    events = (
        LaneEvent(lane=hostile, stage="reviewing", box_id=hostile, driver=hostile, note=hostile),
        RoleEvent(role=hostile, status=RoleStatus.FAILED, error=hostile),
    )
    lines = shown(pipe(), *events)
    assert lines.count("\n") == 2
    for screen in (lines, shown(terminal(), *events)):
        assert "owned" not in screen
        assert "\x9b" not in screen
        assert "\u202e" not in screen
        assert "[red]" in screen


def test_more_lanes_than_fit_are_counted():
    events = [LaneEvent(lane=f"lane-{number}", stage="waiting") for number in range(25)]
    assert "and 5 more" in shown(terminal(), *events)
