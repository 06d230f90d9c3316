"""Customers and their balance, in cents."""

from __future__ import annotations

from dataclasses import dataclass, field


class UnknownCustomer(LookupError):
    """There is no such customer."""


@dataclass
class Customer:
    """A customer with the amounts booked."""

    name: str
    bookings: list[int] = field(default_factory=list)

    @property
    def balance(self) -> int:
        """What the customer owes."""
        return sum(self.bookings)


class Ledger:
    """All customers."""

    def __init__(self) -> None:
        self._customers: dict[str, Customer] = {}

    def open(self, name: str) -> Customer:
        """Return a customer, adding them where needed."""
        return self._customers.setdefault(name, Customer(name))

    def get(self, name: str) -> Customer:
        """Return a customer there is."""
        try:
            return self._customers[name]
        except KeyError:
            raise UnknownCustomer(name) from None
