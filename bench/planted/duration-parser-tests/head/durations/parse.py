"""Reading and writing durations."""

from __future__ import annotations

import re

UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)


def parse(text: str) -> int:
    """Return the seconds of a duration such as 1d, 2h30m or 45s."""
    match = DURATION.fullmatch(text.strip().lower())
    if match is None or not any(match.groups()):
        raise ValueError(f"not a duration: {text!r}")
    return sum(int(count or 0) * seconds for count, seconds in zip(match.groups(), UNITS.values()))


def show(seconds: int) -> str:
    """Return seconds as a duration."""
    if seconds < 0:
        raise ValueError("a duration is not negative")
    parts = []
    for unit, size in UNITS.items():
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
