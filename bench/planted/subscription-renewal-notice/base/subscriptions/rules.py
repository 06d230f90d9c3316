"""What holds for a subscription on a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Subscription:
    """A subscription; both days belong to it."""

    reader: str
    starts: date
    ends: date


def is_active(subscription: Subscription, day: date) -> bool:
    """Tell whether a subscription is active on a day."""
    return subscription.starts <= day <= subscription.ends


def state(subscription: Subscription, day: date) -> str:
    """Return the state of a subscription on a day."""
    if is_active(subscription, day):
        return "active"
    return "ended" if day > subscription.ends else "not started"
