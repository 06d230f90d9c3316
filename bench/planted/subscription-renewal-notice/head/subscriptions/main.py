"""The overview of today."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from subscriptions.overview import overview
from subscriptions.rules import Subscription


def today(subscriptions: Iterable[Subscription]) -> str:
    """Return the overview of today as text."""
    return "\n".join(overview(subscriptions, date.today()))
