"""What is between two commits, as GitHub tells it: files, patches, hunks, and which lines can be spoken of."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.fakes.github.bare import Bare

STATUSES = {"A": "added", "M": "modified", "D": "removed", "R": "renamed", "C": "copied", "T": "changed"}
MOST_FILES, MOST_FILES_OF_A_DIFF = 3000, 300
MOST_LINES, MOST_BYTES = 20_000, 500_000
"""Above these a file has no patch, and a whole diff is refused."""


@dataclass(frozen=True)
class Place:
    """A line of a hunk: its number before and after, None on the side it is not on."""

    old: int | None
    new: int | None
    text: str

    def on(self, side: str) -> int | None:
        """Its number on LEFT or RIGHT."""
        return self.old if side == "LEFT" else self.new


@dataclass(frozen=True)
class Hunk:
    """Lines that are shown together; `position` is that of its first line, as the old way of naming lines counts."""

    header: str
    places: tuple[Place, ...]
    position: int

    def find(self, line: int, side: str) -> int | None:
        """Which of its lines that is, or None."""
        return next((index for index, place in enumerate(self.places) if place.on(side) == line), None)

    def until(self, index: int) -> str:
        """Its text up to a line."""
        return "\n".join([self.header, *(place.text for place in self.places[: index + 1])])


@dataclass(frozen=True)
class Change:
    """One file that is changed."""

    path: str
    previous: str | None
    status: str
    sha: str
    patch: str | None
    hunks: tuple[Hunk, ...] = field(repr=False)

    @property
    def additions(self) -> int:
        """Lines that are new."""
        return sum(place.old is None for hunk in self.hunks for place in hunk.places)

    @property
    def deletions(self) -> int:
        """Lines that are gone."""
        return sum(place.new is None for hunk in self.hunks for place in hunk.places)

    def find(self, line: int, side: str) -> tuple[Hunk, int] | None:
        """Where a line is shown, or None."""
        if self.patch is None:
            return None
        return next(((hunk, index) for hunk in self.hunks if (index := hunk.find(line, side)) is not None), None)

    def at(self, position: int) -> tuple[Hunk, int] | None:
        """The line at a position below the first hunk's header, or None."""
        for hunk in self.hunks if self.patch is not None else ():
            if 0 <= position - hunk.position < len(hunk.places):
                return hunk, position - hunk.position
        return None


def changes(bare: Bare, base: str, head: str) -> tuple[Change, ...]:
    """All files that differ between two commits."""
    return _changes(bare.path, base, head)


@functools.lru_cache(maxsize=256)
def _changes(path: Path, base: str, head: str) -> tuple[Change, ...]:
    words = ("diff-tree", "-r", "-M", "-z", "--raw", "-p", "--no-color", "--no-ext-diff", "--no-textconv", "--full-index", base, head)
    out = Bare(path).git(*words)
    entries, rest = _entries(out)
    sections = _sections(rest)
    found = []
    for letter, sha, names in entries:
        section = next(sections, b"")
        if letter == "T":  # a link that becomes a file is shown as two
            section = next(sections, b"")
        found.append(_change(letter, sha, names, section))
    return tuple(found)


def diff(bare: Bare, base: str, head: str) -> bytes:
    """The same as one text."""
    return bare.git("diff-tree", "-r", "-M", "-p", "--no-color", "--no-ext-diff", "--no-textconv", "--full-index", base, head)


def _entries(out: bytes) -> tuple[list[tuple[str, str, list[str]]], bytes]:
    entries = []
    while out.startswith(b":"):
        words, _, out = out.partition(b"\0")
        _, _, old, new, status = words.decode().split()
        names = []
        for _ in range(2 if status[0] in "RC" else 1):
            name, _, out = out.partition(b"\0")
            names.append(name.decode("utf-8", "replace"))
        entries.append((status[0], old if status[0] == "D" else new, names))
    return entries, out.lstrip(b"\0")


def _sections(text: bytes) -> Iterator[bytes]:
    yield from (b"\n" + text).split(b"\ndiff --git ")[1:]


def _change(letter: str, sha: str, names: list[str], section: bytes) -> Change:
    start = section.find(b"\n@@ ")
    patch = section[start + 1 :].removesuffix(b"\n") if start >= 0 else None
    hunks = tuple(_hunks(patch.decode("utf-8", "replace"))) if patch is not None else ()
    if patch is not None and (len(patch) > MOST_BYTES or sum(len(hunk.places) for hunk in hunks) > MOST_LINES):
        patch = None
    text = None if patch is None else patch.decode("utf-8", "replace")
    return Change(names[-1], names[0] if len(names) > 1 else None, STATUSES[letter], sha, text, hunks)


def _hunks(patch: str) -> Iterator[Hunk]:
    position, header, places, old, new = -1, "", list[Place](), 0, 0
    for line in patch.split("\n"):
        position += 1
        if found := re.match(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@", line):
            if header:
                yield Hunk(header, tuple(places), position - len(places))
            header, places, old, new = line, [], int(found[1]), int(found[2])
        elif line.startswith("\\"):
            # It counts as a position, and cannot be spoken of.
            places.append(Place(-1, -1, line))
        else:
            places.append(Place(None if line[:1] == "+" else old, None if line[:1] == "-" else new, line))
            old += line[:1] != "+"
            new += line[:1] != "-"
    if header:
        yield Hunk(header, tuple(places), position - len(places) + 1)
