"""What the pull request changes: files, contents, and the lines it adds."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from .git import Repository

_STATUS = {"A": "added", "M": "modified", "D": "deleted", "R": "renamed", "T": "type-changed"}
_HUNK = re.compile(rb"^@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@")
_DIFF = ("diff-tree", "-r", "-M", "--no-ext-diff", "--no-textconv", "--no-color", "--no-commit-id")
REGULAR = ("100644", "100755", "100664")
SYMLINK = "120000"
SUBMODULE = "160000"


@dataclass
class Change:
    """One changed file; `old_path` differs from `path` where it was renamed. Lines are 1-based.

    `head` and `base` hold the contents where they may be analyzed: regular files, text, not too large.
    """

    path: bytes
    old_path: bytes
    status: str
    base_mode: str
    head_mode: str
    base_blob: str
    head_blob: str
    added_lines: int | None = None
    deleted_lines: int | None = None
    ranges: list[tuple[int, int]] = field(default_factory=list)
    head: bytes | None = None
    base: bytes | None = None

    def touches(self, start: int, end: int) -> bool:
        """True if any line from `start` to `end` was added."""
        return any(first <= end and start <= last for first, last in self.ranges)

    def first_added(self, start: int, end: int) -> int | None:
        """The first added line from `start` to `end`."""
        return next((max(first, start) for first, last in self.ranges if first <= end and start <= last), None)


def changes(repository: Repository, base: str, head: str, ignore: tuple[str, ...] = ()) -> list[Change]:
    """All changed files that match none of the patterns in `ignore`, with their added lines, contents not loaded yet.

    Raises:
        GitError: a commit is missing, or the comparison ran out of time.
    """
    wanted = ("--", *([":(top)"] if ignore else ()), *(f":(top,exclude,glob){pattern}" for pattern in ignore))
    listing = repository.run(*_DIFF, "-z", "--raw", "--numstat", "--no-abbrev", base, head, *wanted).stdout
    found = list(_parse(iter(listing.split(b"\0"))))
    patch = repository.run(*_DIFF, "-p", "-U0", "--submodule=short", base, head, *wanted).stdout
    _read_ranges(patch, found)
    return found


def _parse(fields: Iterator[bytes]) -> Iterator[Change]:
    """Raw records first, then the numstat records of the same files."""
    by_path: dict[bytes, Change] = {}
    for meta in fields:
        if meta.startswith(b":"):
            base_mode, head_mode, base_blob, head_blob, status = meta[1:].decode().split()
            old = next(fields)
            path = next(fields) if status[0] in "RC" else old
            by_path[path] = Change(path, old, _STATUS.get(status[0], "modified"), base_mode, head_mode, base_blob, head_blob)
        elif meta:
            _count(meta, fields, by_path)
    yield from by_path.values()


def _count(meta: bytes, fields: Iterator[bytes], by_path: dict[bytes, Change]) -> None:
    added, deleted, path = meta.split(b"\t", 2)
    if not path:
        next(fields)
        path = next(fields)
    change = by_path.get(path)
    if change is None or added == b"-":
        return
    # A type change counts as a deletion and an addition: two records for one path.
    change.added_lines = (change.added_lines or 0) + int(added)
    change.deleted_lines = (change.deleted_lines or 0) + int(deleted)


def _read_ranges(patch: bytes, found: list[Change]) -> None:
    """Added line ranges, from the hunk headers; sections come in the order of the raw records.

    Within a section content lines begin with `+`, `-` or a backslash, so no content can pass for a header.
    """
    owners = _section_owners(found)
    owner: Change | None = None
    for line in io.BytesIO(patch):
        if line.startswith(b"diff --git "):
            owner = next(owners, None)
        elif owner is not None and (hunk := _HUNK.match(line)):
            start, count = int(hunk[1]), int(hunk[2] or 1)
            if count:
                owner.ranges.append((start, start + count - 1))


def _section_owners(found: Iterable[Change]) -> Iterator[Change]:
    for change in found:
        yield change
        if change.status == "type-changed":
            yield change
