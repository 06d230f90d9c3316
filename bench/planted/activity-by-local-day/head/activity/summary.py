"""The summary an account sees."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo

from activity.days import by_day, by_hour, longest_streak


def usual_hour(times: Iterable[str], zone: tzinfo) -> str:
    """Return the hour with the most activity as text."""
    hours = by_hour(times, zone)
    return f"usually at {max(hours, key=lambda hour: (hours[hour], -hour))}:00" if hours else ""


def summary(times: Iterable[str], zone: tzinfo) -> str:
    """Return the summary as text."""
    days = by_day(times, zone)
    if not days:
        return "nothing yet"
    busiest = max(days, key=lambda day: (days[day], day))
    return f"{sum(days.values())} on {len(days)} days, most on {busiest}, {longest_streak(days)} in a row"
