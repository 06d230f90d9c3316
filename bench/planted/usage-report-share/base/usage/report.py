"""The report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from usage.records import is_blank, parse


def report(lines: Iterable[str]) -> list[str]:
    """Return one line per customer, the largest first."""
    seconds: Counter[str] = Counter()
    for line in lines:
        if not is_blank(line):
            record = parse(line)
            seconds[record.customer] += record.seconds
    return [f"{customer}: {total} s" for customer, total in seconds.most_common()]
