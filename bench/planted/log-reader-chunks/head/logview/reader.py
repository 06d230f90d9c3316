"""Reading log files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


CHUNK = 64 * 1024


def read_chunks(path: Path, size: int = CHUNK) -> Iterator[str]:
    """Yield the text of a file in parts; bytes that are no UTF-8 are replaced."""
    with path.open("rb") as file:
        while chunk := file.read(size):
            yield chunk.decode("utf-8", errors="replace")


def read_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file without their ends, keeping no more of it in memory than needed."""
    rest = ""
    for text in read_chunks(path):
        *lines, rest = (rest + text).split("\n")
        for line in lines:
            yield line.removesuffix("\r")
    if rest:
        yield rest.removesuffix("\r")
