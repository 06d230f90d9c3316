"""What a tenant's agent remembers: entries, how they replace each other, and how they read as Markdown."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

KINDS = {"fact": "Facts", "preference": "Preferences", "habit": "Habits", "episode": "Episodes"}
"""Kinds of entries, and the title of the file of each: what is so, what is wanted, what is often asked, what happened."""

MAX_TEXT = 500
MAX_SOURCES = 5
MAX_ENTRIES = 2000
MAX_BYTES = 256 << 10
_HEADING = re.compile(r"## ([a-z]-[0-9a-f]{8})\s*")
_LINE = re.compile(r"- (about|since|until|closed by|seen|used|from): (.*)")
_ACTING = re.compile("[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e0fff]")


@dataclass(frozen=True)
class Entry:
    """One thing remembered.

    Args:
        kind: one of KINDS.
        text: a line.
        about: what it says something of; a later entry of the same kind about the same closes it. Empty for nothing in particular.
        since: when it was observed first, UTC, ISO 8601.
        until: since when it is no longer so; empty while it is.
        closed_by: the entry that says what is so instead.
        seen: how often it was observed.
        uses: how often it was given to the agent.
        sources: observations it comes from, as `ID TIME`; the first and the latest.
    """

    kind: str
    text: str
    since: str
    about: str = ""
    until: str = ""
    closed_by: str = ""
    seen: int = 1
    uses: int = 0
    sources: tuple[str, ...] = ()
    id: str = ""

    def named(self) -> Entry:
        """With an id, which follows from what it says."""
        if self.id:
            return self
        digest = hashlib.sha256("\0".join((self.kind, self.text, self.since)).encode("utf-8", "replace")).hexdigest()
        return replace(self, id=f"{self.kind[0]}-{digest[:8]}")


@dataclass
class Book:
    """All entries, oldest first. `forgotten` counts those that had to go for want of room."""

    entries: list[Entry] = field(default_factory=list)
    forgotten: int = 0

    def learn(self, new: Entry) -> Entry:
        """Take an entry in; returns what stands now. What it contradicts is closed, not overwritten."""
        for at, old in enumerate(self.entries):
            if old.kind == new.kind and not old.until and plain(old.text) == plain(new.text):
                sources = tuple(dict.fromkeys((*old.sources, *new.sources)))
                kept = sources[:1] + sources[1:][-(MAX_SOURCES - 1) :]
                self.entries[at] = replace(old, seen=old.seen + new.seen, since=min(old.since, new.since), sources=kept)
                return self.entries[at]
        new = new.named()
        for at, old in enumerate(self.entries):
            if (
                new.about
                and new.kind in ("fact", "preference")
                and old.kind == new.kind
                and not old.until
                and plain(old.about) == plain(new.about)
            ):
                if new.since < old.since:  # it comes late: it was so until the other one was
                    new = replace(new, until=old.since, closed_by=old.id)
                else:
                    self.entries[at] = replace(old, until=new.since, closed_by=new.id)
        self.entries.append(new)
        return new

    def correct(self, ident: str, text: str, now: str, source: str) -> Entry:
        """Somebody says what is so instead of what holds. Raises KeyError."""
        old = self.find(ident)
        if old.until:
            raise KeyError(f"{ident} that holds; {old.closed_by or 'nothing'} took its place")
        new = replace(old, text=line(text), since=now, until="", closed_by="", seen=1, uses=0, sources=(source,), id="").named()
        self.entries = [replace(entry, until=now, closed_by=new.id) if entry.id == ident else entry for entry in self.entries]
        self.entries.append(new)
        return new

    def find(self, ident: str) -> Entry:
        """Raises KeyError."""
        for entry in self.entries:
            if entry.id == ident:
                return entry
        raise KeyError(ident)

    def drop(self, ident: str) -> Entry:
        """Forget an entry and what it had closed, and habits and episodes in which the same words stand. Raises KeyError."""
        gone = self.find(ident)
        words = plain(gone.text)
        names = {ident} | {entry.id for entry in self.entries if entry.kind in ("habit", "episode") and words in plain(entry.text)}
        while more := {entry.id for entry in self.entries if entry.closed_by in names} - names:
            names |= more
        self.entries = [entry for entry in self.entries if entry.id not in names]
        return gone

    def shrink(self, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES) -> None:
        """Forget until the rest has room: what is closed, then episodes, then what was seen and used least, each oldest first."""
        size = sum(map(_size, self.entries))
        for entry in sorted(self.entries, key=_worth):
            if len(self.entries) <= max_entries and size <= max_bytes:
                return
            self.entries.remove(entry)
            self.forgotten += 1
            size -= _size(entry)

    def of(self, kind: str) -> list[Entry]:
        """The entries of a kind."""
        return [entry for entry in self.entries if entry.kind == kind]


def _worth(entry: Entry) -> tuple[bool, bool, int, str]:
    return (not entry.until, entry.kind != "episode", entry.seen + 3 * entry.uses, entry.since)


def _size(entry: Entry) -> int:
    return len("".join(_rendered(entry)).encode("utf-8", "replace"))


@functools.lru_cache(maxsize=16_384)
def plain(text: str) -> str:
    """A text as it is compared: case, punctuation at its ends and blanks do not count."""
    return " ".join(text.casefold().split()).strip(" .!?,;:")


def line(text: str, limit: int = MAX_TEXT) -> str:
    """A text as one line that only shows: it cannot be read as a heading or a field of the file."""
    clean = " ".join(_ACTING.sub(" ", text).split())
    while clean.startswith(("#", "- ")):
        clean = clean[1:].lstrip()
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def render(kind: str, entries: Iterable[Entry]) -> str:
    """The file of a kind."""
    return "\n".join([f"# {KINDS[kind]}", "", *(text for entry in entries for text in _rendered(entry))])


def _rendered(entry: Entry) -> Iterator[str]:
    yield from (f"## {entry.id}", "", entry.text, "")
    if entry.about:
        yield f"- about: {entry.about}"
    yield f"- since: {entry.since}"
    if entry.until:
        yield f"- until: {entry.until}"
    if entry.closed_by:
        yield f"- closed by: {entry.closed_by}"
    if entry.seen != 1:
        yield f"- seen: {entry.seen}"
    if entry.uses:
        yield f"- used: {entry.uses}"
    yield from (f"- from: {source}" for source in entry.sources)
    yield ""


def parse(kind: str, text: str, now: str) -> list[Entry]:
    """Read a file back, also after somebody edited it: a text without a heading becomes an entry of its own."""
    entries: list[Entry] = []
    ident = ""
    words: list[str] = []
    fields: dict[str, list[str]] = {}

    def end() -> None:
        if said := line(" ".join(words)):
            entries.append(_entry(kind, ident, said, fields, now))

    for raw in text.splitlines():
        heading, about = _HEADING.fullmatch(raw), _LINE.fullmatch(raw)
        if heading or (raw.startswith("# ") and not words):
            end()
            ident, words, fields = heading[1] if heading else "", [], {}
        elif about and words:
            fields.setdefault(about[1], []).append(about[2].strip())
        elif fields and raw.strip():  # more words after the fields: another entry
            end()
            ident, words, fields = "", [raw], {}
        elif raw.strip():
            words.append(raw)
        elif words and not ident:  # written by hand: a paragraph each
            end()
            words, fields = [], {}
    end()
    return entries


def _entry(kind: str, ident: str, text: str, fields: dict[str, list[str]], now: str) -> Entry:
    def one(name: str) -> str:
        return line(fields.get(name, [""])[0], 200)

    return Entry(
        kind,
        text,
        since=_time(one("since")) or now,
        about=one("about"),
        until=_time(one("until")),
        closed_by=one("closed by") if re.fullmatch(r"[a-z]-[0-9a-f]{8}", one("closed by")) else "",
        seen=_count(one("seen") or "1"),
        uses=_count(one("used")),
        sources=tuple(line(source, 200) for source in fields.get("from", ["by hand " + now])[:MAX_SOURCES]),
        id=ident if ident[:1] == kind[0] else "",
    ).named()


def _time(text: str) -> str:
    """A time as we write it; empty for what is none, as somebody may have typed it."""
    return text if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text) else ""


def _count(text: str) -> int:
    return min(int(text), 1 << 31) if text.isdecimal() and len(text) < 12 else 0
