"""The event language of agents of one's own."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.harness.agent import AgentEvent
from runner.harness.sse import MAX_LINE_BYTES, Parser, packed

NAMES = st.from_regex(r"[A-Za-z0-9_.-]{1,64}", fullmatch=True)
EVENTS = st.lists(st.builds(AgentEvent, NAMES, st.dictionaries(st.text(max_size=5), st.text(max_size=20), max_size=3)), max_size=5)


@given(events=EVENTS, cuts=st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_events_are_read_as_they_were_written_however_they_are_cut(events: list[AgentEvent], cuts: list[int]) -> None:
    data, parser, read, at = b"".join(packed(event) for event in events), Parser(), [], 0
    while data:
        size = cuts[at % len(cuts)]
        read += list(parser.feed(data[:size]))
        data, at = data[size:], at + 1
    assert [*read, *parser.end()] == events


@given(data=st.binary(max_size=300))
def test_anything_may_be_said_without_harm(data: bytes) -> None:
    parser = Parser()
    for event in [*parser.feed(data), *parser.end()]:
        assert json.loads(packed(event).decode().partition("data: ")[2]) == event.data


@pytest.mark.parametrize(
    "text",
    [
        "event:text\ndata: {}\n\n",
        "event: te xt\ndata: {}\n\n",
        "data: {}\n\n",
        "event: a\n\n",
        "event: a\ndata: nonsense\n\n",
        ": ping\n\n",
    ],
)
def test_what_is_no_event_is_left_out(text: str) -> None:
    assert list(Parser().feed(text.encode())) == []


def test_line_without_end_is_thrown_away_and_the_next_event_is_read() -> None:
    parser = Parser()
    for _ in range(6):
        assert list(parser.feed(b"x" * (MAX_LINE_BYTES // 4))) == []
    assert list(parser.feed(b"x\n\nevent: text\r\ndata: {}\r\n\r\n")) == [AgentEvent("text", {})]
