"""Counting by day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, timedelta, tzinfo


def local(text: str, zone: tzinfo) -> datetime:
    """Return a time like 2024-05-01T09:30:00+02:00 in the zone of the account.

    Old clients send times without an offset, which are meant in that zone.
    """
    moment = datetime.fromisoformat(text).replace(tzinfo=zone)
    return moment.astimezone(zone)


def by_day(times: Iterable[str], zone: tzinfo) -> dict[date, int]:
    """Return how many of the times are on each day of the zone."""
    return dict(sorted(Counter(local(text, zone).date() for text in times).items()))


def by_hour(times: Iterable[str], zone: tzinfo) -> dict[int, int]:
    """Return how many of the times are in each hour of the day."""
    return dict(sorted(Counter(local(text, zone).hour for text in times).items()))


def longest_streak(days: Iterable[date]) -> int:
    """Return the largest number of days in a row."""
    best = current = 0
    before: date | None = None
    for day in sorted(set(days)):
        current = current + 1 if before is not None and day - before == timedelta(days=1) else 1
        best = max(best, current)
        before = day
    return best
