"""Overviews."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from subscriptions.rules import Subscription, state


def overview(subscriptions: Iterable[Subscription], day: date) -> list[str]:
    """Return a line per subscription with its state on a day."""
    return [f"{s.reader}: {state(s, day)}" for s in sorted(subscriptions, key=lambda s: s.reader)]
