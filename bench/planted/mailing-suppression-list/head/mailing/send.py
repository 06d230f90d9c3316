"""Sending one mailing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from mailing.suppression import Suppression

MAX_SKIPPED = 500

Deliver = Callable[[str, str], Awaitable[None]]


@dataclass
class Result:
    """Who got the mail and who did not."""

    sent: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


class TooManySkipped(Exception):
    """So many addresses are suppressed that the list of recipients is probably the wrong one."""


def unique(addresses: Iterable[str]) -> list[str]:
    """Return the addresses in their order, each once, whatever its case."""
    return list({address.lower(): address for address in reversed(list(addresses))}.values())[::-1]


async def send(text: str, addresses: Iterable[str], suppression: Suppression, deliver: Deliver) -> Result:
    """Send a text to all addresses but the suppressed ones.

    All addresses are checked first; nothing is sent where more than MAX_SKIPPED of them are suppressed.
    """
    recipients = unique(addresses)
    skipped = [address for address in recipients if suppression.contains(address)]
    if len(skipped) > MAX_SKIPPED:
        raise TooManySkipped(f"{len(skipped)} of {len(recipients)} addresses are suppressed")
    result = Result(skipped=skipped)
    for address in recipients:
        if address not in skipped:
            await deliver(address, text)
            result.sent.append(address)
    return result
