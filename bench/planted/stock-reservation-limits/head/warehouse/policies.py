"""Policies for reservations."""

from __future__ import annotations

from collections.abc import Collection

from warehouse.stock import Policy


def at_most(limit: int) -> Policy:
    """Nobody reserves more than the limit at once."""
    return lambda customer, sku, quantity: quantity <= limit


def only(customers: Collection[str]) -> Policy:
    """Only some customers reserve anything."""
    return lambda customer, sku, quantity: customer in customers
