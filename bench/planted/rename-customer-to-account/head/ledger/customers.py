"""Accounts and their balance, in cents.

The names Customer and UnknownCustomer are kept for the shop; they mean the same classes.
"""

from __future__ import annotations

from dataclasses import dataclass, field


class UnknownAccount(LookupError):
    """There is no such account."""


@dataclass
class Account:
    """An account with the amounts booked."""

    name: str
    bookings: list[int] = field(default_factory=list)

    @property
    def balance(self) -> int:
        """What the holder owes."""
        return sum(self.bookings)


UnknownCustomer = UnknownAccount
Customer = Account


class Ledger:
    """All accounts."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}

    def open(self, name: str) -> Account:
        """Return an account, adding it where needed."""
        return self._accounts.setdefault(name, Account(name))

    def get(self, name: str) -> Account:
        """Return an account there is."""
        try:
            return self._accounts[name]
        except KeyError:
            raise UnknownAccount(name) from None
