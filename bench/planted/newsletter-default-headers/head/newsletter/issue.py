"""Sending one issue."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from email.message import EmailMessage

from newsletter.message import build


@dataclass(frozen=True)
class Reader:
    """Who reads the newsletter; a link lets them leave where the law asks for one."""

    address: str
    leave: str | None = None


def send(subject: str, text: str, readers: Iterable[Reader], deliver: Callable[[EmailMessage], None]) -> int:
    """Send an issue to all readers and return how many there are."""
    count = 0
    for reader in readers:
        extra = {"List-Unsubscribe": f"<{reader.leave}>"} if reader.leave else None
        deliver(build(reader.address, subject, text, extra))
        count += 1
    return count
