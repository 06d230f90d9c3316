"""A registry of counters."""

from __future__ import annotations

from collections import Counter

Labels = tuple[tuple[str, str], ...]


class Registry:
    """Counters by name and labels."""

    def __init__(self) -> None:
        self._values: Counter[tuple[str, Labels]] = Counter()

    def count(self, name: str, amount: int = 1, **labels: str) -> None:
        """Add to a counter."""
        if amount < 0:
            raise ValueError("counters only grow")
        self._values[name, tuple(sorted(labels.items()))] += amount

    def samples(self) -> list[tuple[str, Labels, int]]:
        """Return all counters with their values, sorted."""
        return [(name, labels, value) for (name, labels), value in sorted(self._values.items())]
