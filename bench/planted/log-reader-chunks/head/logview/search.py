"""Searching log files."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path

from logview.reader import read_lines


def search(path: Path, text: str) -> Iterator[tuple[int, str]]:
    """Yield number and text of the lines that contain the text."""
    for number, line in enumerate(read_lines(path), start=1):
        if text in line:
            yield number, line


def tail(path: Path, count: int = 10) -> list[str]:
    """Return the last lines."""
    return list(deque(read_lines(path), maxlen=count))
