"""The report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from usage.records import is_blank, parse


def percent(part: int, whole: int) -> str:
    """Return a share as text; 0 % of nothing."""
    return f"{100 * part / whole:.1f} %" if whole else "0.0 %"


def report(lines: Iterable[str], least: float = 0.0) -> list[str]:
    """Return one line per customer, the largest first, with the share of all usage.

    Customers with a smaller share than the least one (between 0 and 1) are left out.
    """
    records = (parse(line) for line in lines if not is_blank(line))
    whole = sum(record.seconds for record in records)
    seconds: Counter[str] = Counter()
    for record in records:
        seconds[record.customer] += record.seconds
    return [
        f"{customer}: {total} s ({percent(total, whole)})"
        for customer, total in seconds.most_common()
        if total >= least * whole
    ]
