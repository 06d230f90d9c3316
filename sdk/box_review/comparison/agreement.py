"""How far judges agree: Krippendorff's alpha (K. Krippendorff, Content Analysis, 4th ed., ch. 12)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Literal

Values = Sequence[float | None]
"""One value a judge for one thing judged, None where a judge gave none."""


def krippendorff_alpha(units: Sequence[Values], level: Literal["nominal", "interval"]) -> float | None:
    """1 for judges who always agree, 0 for judges who might as well have drawn lots, less for worse.

    Args:
        units: for each thing judged, the judges' values; those with fewer than two values do not count.
        level: whether values are only the same or not, or lie at distances.

    Returns:
        None if no two values can be compared, or all values are the same, which tells nothing.
    """
    pairable = [kept for unit in units if len(kept := [value for value in unit if value is not None]) > 1]
    count = sum(map(len, pairable))
    distance = _DISTANCES[level]
    observed = sum(_spread(Counter(unit), distance) / (len(unit) - 1) for unit in pairable)
    expected = _spread(Counter(value for unit in pairable for value in unit), distance)
    if not expected:
        return None
    return 1 - (count - 1) * observed / expected


def _spread(values: Counter[float], distance: Callable[[float, float], float]) -> float:
    """The sum of distances over all ordered pairs."""
    return sum(distance(one, other) * values[one] * values[other] for one in values for other in values)


_DISTANCES: dict[str, Callable[[float, float], float]] = {
    "nominal": lambda one, other: float(one != other),
    "interval": lambda one, other: (one - other) ** 2,
}
