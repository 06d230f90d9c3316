"""The summary an account sees."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo

from activity.days import by_day, longest_streak


def summary(times: Iterable[str], zone: tzinfo) -> str:
    """Return the summary as text."""
    days = by_day(times, zone)
    if not days:
        return "nothing yet"
    busiest = max(days, key=lambda day: (days[day], day))
    return f"{sum(days.values())} on {len(days)} days, most on {busiest}, {longest_streak(days)} in a row"
