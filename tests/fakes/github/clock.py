"""Times, numbers and ids as GitHub writes them."""

from __future__ import annotations

import base64
from datetime import UTC, datetime


def now() -> datetime:
    """The time, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def stamp(when: datetime) -> str:
    """As GitHub writes it: UTC, whole seconds, `Z`."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def stamped(when: datetime | None) -> str | None:
    """The same of a time that may not have come."""
    return None if when is None else stamp(when)


def node(prefix: str, number: int) -> str:
    """A node id: opaque, of letters."""
    return f"{prefix}_{base64.urlsafe_b64encode(number.to_bytes(8)).decode().rstrip('=')}"
