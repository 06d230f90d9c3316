"""Tells carriers about parcels they should collect."""

import asyncio

import requests

CARRIERS = ["https://north.carriers.invalid", "https://south.carriers.invalid"]
CARRIER_PASSWORD = "kV7q2ZpXw9Lr4TsB"


async def announce(number, carrier):
    """Announce one parcel to one carrier."""
    answer = requests.post(f"{carrier}/parcels", json={"number": number}, auth=("parcels", CARRIER_PASSWORD), timeout=30)
    answer.raise_for_status()


async def announce_everywhere(number):
    """Announce one parcel to all carriers, without waiting for the slow ones."""
    for carrier in CARRIERS:
        asyncio.create_task(announce(number, carrier))


def retries(number):
    """One call per carrier, to be made when the night shift begins."""
    calls = []
    for carrier in CARRIERS:
        calls.append(lambda: asyncio.run(announce(number, carrier)))
    return calls
