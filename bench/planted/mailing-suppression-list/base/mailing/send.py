"""Sending one mailing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from mailing.suppression import Suppression

Deliver = Callable[[str, str], Awaitable[None]]


@dataclass
class Result:
    """Who got the mail and who did not."""

    sent: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


async def send(text: str, addresses: Iterable[str], suppression: Suppression, deliver: Deliver) -> Result:
    """Send a text to all addresses but the suppressed ones."""
    result = Result()
    for address in addresses:
        if await suppression.contains(address):
            result.skipped.append(address)
            continue
        await deliver(address, text)
        result.sent.append(address)
    return result
