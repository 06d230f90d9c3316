"""Records of usage: customer and seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Record:
    """One use."""

    customer: str
    seconds: int


def parse(line: str) -> Record:
    """Read a record from a line such as 'acme 120'."""
    customer, _, seconds = line.strip().rpartition(" ")
    if not customer or not seconds.isdecimal():
        raise ValueError(f"not a record: {line!r}")
    return Record(customer, int(seconds))


def is_blank(line: str) -> bool:
    """Tell whether a line holds no record: it is empty or a comment."""
    return not line.strip() or line.lstrip().startswith("#")
