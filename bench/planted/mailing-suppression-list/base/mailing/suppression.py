"""Addresses that must not get mails."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable


class Suppression:
    """The list of addresses; it lives in a service, so asking takes a moment."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._addresses = {address.lower() for address in addresses}

    async def contains(self, address: str) -> bool:
        """Tell whether an address must not get mails."""
        await asyncio.sleep(0)
        return address.lower() in self._addresses
