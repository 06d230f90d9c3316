"""Entries of a memory: what contradicts closes, what repeats counts, what is edited by hand is read, and what has no room goes."""

from __future__ import annotations

import pytest
from box_review.agent_server.inbox.book import KINDS, MAX_TEXT, Book, Entry, line, parse, render
from hypothesis import given
from hypothesis import strategies as st

NOW = "2026-05-01T00:00:00Z"


def fact(text: str, day: int, about: str = "", **more: object) -> Entry:
    return Entry("fact", text, f"2026-01-{day:02d}T00:00:00Z", about=about, sources=(f"o-{day}",), **more)  # type: ignore[arg-type]


def test_contradiction_closes_the_old_fact_and_does_not_overwrite_it() -> None:
    book = Book()
    old = book.learn(fact("The plan is gold.", 1, "plan"))
    new = book.learn(fact("The plan is silver.", 5, "Plan"))
    assert [(entry.text, entry.until, entry.closed_by) for entry in book.entries] == [
        ("The plan is gold.", new.since, new.id),
        ("The plan is silver.", "", ""),
    ]
    assert old.id == book.entries[0].id


def test_what_comes_late_does_not_replace_what_is_newer() -> None:
    book = Book()
    newer = book.learn(fact("The plan is silver.", 5, "plan"))
    late = book.learn(fact("The plan is gold.", 1, "plan"))
    assert (late.until, late.closed_by) == (newer.since, newer.id)
    assert [entry.text for entry in book.entries if not entry.until] == ["The plan is silver."]


def test_repetition_counts_and_keeps_first_and_latest_sources() -> None:
    book = Book()
    for day in range(1, 20):
        book.learn(fact("the plan is GOLD", day, "plan") if day % 2 else fact("The plan  is gold.", day, "plan"))
    assert [(entry.seen, entry.since[:10], entry.sources) for entry in book.entries] == [
        (19, "2026-01-01", ("o-1", "o-16", "o-17", "o-18", "o-19"))
    ]


def test_correction_by_hand_closes_and_forgetting_drops_what_was_replaced_too() -> None:
    book = Book()
    first = book.learn(fact("The plan is gold.", 1, "plan"))
    second = book.correct(first.id, "The plan is silver.", NOW, "by hand")
    third = book.correct(second.id, "The plan is bronze.", NOW, "by hand")
    other = book.learn(fact("Something else.", 2))
    assert [entry.id for entry in book.entries if not entry.until] == [third.id, other.id]
    book.drop(third.id)
    assert [entry.id for entry in book.entries] == [other.id]
    with pytest.raises(KeyError):
        book.correct(first.id, "x", NOW, "by hand")


def test_only_what_holds_is_corrected() -> None:
    book = Book()
    old = book.learn(fact("The plan is gold.", 1, "plan"))
    book.learn(fact("The plan is silver.", 5, "plan"))
    with pytest.raises(KeyError, match="took its place"):
        book.correct(old.id, "The plan is bronze.", NOW, "by hand")
    assert [entry.text for entry in book.entries if not entry.until] == ["The plan is silver."]


def test_what_is_worth_least_goes_first_when_there_is_no_room() -> None:
    book = Book()
    book.learn(fact("The plan is gold.", 1, "plan"))
    book.learn(fact("The plan is silver.", 5, "plan"))
    book.learn(Entry("episode", "12 requests", "2026-01-02T00:00:00Z"))
    book.learn(fact("Seen once, long ago.", 2))
    book.learn(fact("Seen often.", 3, seen=9))
    for left in (4, 3, 2, 1):
        book.shrink(max_entries=left)
    assert [entry.text for entry in book.entries] == ["Seen often."]
    assert book.forgotten == 4
    book.shrink(max_bytes=10)
    assert book.entries == []


def test_edited_file_is_read_as_it_was_meant() -> None:
    text = """# Facts

## f-00000001

The plan is platinum, says
the maintainer.

- about: plan
- since: 2026-01-01T00:00:00Z
- seen: 3

A fact somebody typed in.

Another one.
"""
    found = parse("fact", text, NOW)
    assert [(entry.id, entry.text, entry.about, entry.since, entry.seen) for entry in found[:1]] == [
        ("f-00000001", "The plan is platinum, says the maintainer.", "plan", "2026-01-01T00:00:00Z", 3)
    ]
    assert [(entry.text, entry.since, entry.sources) for entry in found[1:]] == [
        ("A fact somebody typed in.", NOW, (f"by hand {NOW}",)),
        ("Another one.", NOW, (f"by hand {NOW}",)),
    ]


TEXTS = st.text(min_size=1).map(line).filter(bool)


@given(
    st.lists(
        st.builds(
            Entry,
            st.sampled_from(sorted(KINDS)),
            TEXTS,
            st.just(NOW),
            about=TEXTS.map(lambda text: text[:80].strip()),
            seen=st.integers(1, 99),
        )
    )
)
def test_what_is_written_is_read_back_whatever_it_says(entries: list[Entry]) -> None:
    book = Book()
    for entry in entries:
        book.learn(entry)
    for kind in KINDS:
        assert [(entry.text, entry.about, entry.seen, entry.id) for entry in parse(kind, render(kind, book.of(kind)), "later")] == [
            (entry.text, entry.about, entry.seen, entry.id) for entry in book.of(kind)
        ]


@given(st.text())
def test_any_file_can_be_read(text: str) -> None:
    for entry in parse("fact", text, NOW):
        assert 0 < len(entry.text) <= MAX_TEXT
        assert "\n" not in entry.text
