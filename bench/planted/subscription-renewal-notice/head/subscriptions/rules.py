"""What holds for a subscription on a day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


SOON = 14


@dataclass(frozen=True)
class Subscription:
    """A subscription; both days belong to it."""

    reader: str
    starts: date
    ends: date


def is_active(subscription: Subscription, day: date) -> bool:
    """Tell whether a subscription is active on a day."""
    return subscription.starts <= day <= subscription.ends


def ends_soon(subscription: Subscription) -> bool:
    """Tell whether an active subscription ends within the next two weeks."""
    left = (subscription.ends - date.today()).days
    return 0 <= left <= SOON


def state(subscription: Subscription, day: date) -> str:
    """Return the state of a subscription on a day."""
    if is_active(subscription, day):
        return "ends soon" if ends_soon(subscription) else "active"
    return "ended" if day > subscription.ends else "not started"
