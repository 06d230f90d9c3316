"""Contacts in memory, with a transaction."""

from __future__ import annotations


class Store:
    """Names by mail address; changes last once they are committed."""

    def __init__(self) -> None:
        self.saved: dict[str, str] = {}
        self._open: dict[str, str] = {}

    def put(self, mail: str, name: str) -> bool:
        """Add or change a contact and tell whether it is new."""
        new = mail not in self.saved and mail not in self._open
        self._open[mail] = name
        return new

    def commit(self) -> None:
        """Keep the changes."""
        self.saved.update(self._open)
        self._open.clear()

    def roll_back(self) -> None:
        """Drop the changes."""
        self._open.clear()
