"""What is in memory of one scope: entries, and what finds them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from box_review.knowledge import Entry, Revoked, State
from box_review.search import Index

from bot.knowledge.sameness import signature


class Shelf:
    """The entries of a scope. Not for several threads at once: the store has the lock."""

    def __init__(self, scope: str) -> None:
        self.scope = scope
        self.entries: dict[str, Entry] = {}
        self.revoked: tuple[Revoked, ...] = ()
        self.open = 0
        self._same: dict[str, str] = {}
        self._indexes: dict[State | Literal["shared"], Index] = {}
        self._support: dict[str, int] = {}
        self._open_of: dict[str, int] = {}

    def put(self, entry: Entry) -> None:
        """An entry as it is now."""
        self.drop(entry.id)
        self.entries[entry.id] = entry
        self._same[signature(entry.text)] = entry.id
        for index in self._indexes_of(entry):
            index.add(entry.id, f"{entry.topic}\n{entry.text}")
        self._count(entry, 1)

    def drop(self, ident: str) -> None:
        """An entry less; no error if it is not there."""
        entry = self.entries.pop(ident, None)
        if entry is None:
            return
        if self._same.get(key := signature(entry.text)) == ident:
            del self._same[key]
        for index in self._indexes_of(entry):
            index.drop(ident)
        self._count(entry, -1)

    def same(self, text: str) -> Entry | None:
        """The entry that says the same."""
        ident = self._same.get(signature(text))
        return None if ident is None else self.entries[ident]

    def find(self, query: str, state: State | Literal["shared"], limit: int) -> list[Entry]:
        """The entries in a state, or those that are published for all, that fit a question, best first."""
        return [self.entries[hit.id] for hit in self._index(state).find(query, limit)]

    @property
    def tenants(self) -> Iterator[str]:
        """Those that support something."""
        return iter(self._support)

    def open_of(self, tenant: str) -> int:
        """Proposals that a tenant supports and nobody has decided on."""
        return self._open_of.get(tenant, 0)

    def is_revoked(self, tenant: str, ref: str | None = None) -> bool:
        """True for a source that is trusted no more."""
        return any((source.tenant == tenant) if ref is None else (source.ref == ref) for source in self.revoked)

    def close(self) -> None:
        """Gives the memory back."""
        for index in self._indexes.values():
            index.close()

    def _indexes_of(self, entry: Entry) -> list[Index]:
        return [self._index(entry.state)] + ([self._index("shared")] if is_common(entry) else [])

    def _index(self, state: State | Literal["shared"]) -> Index:
        if state not in self._indexes:
            self._indexes[state] = Index()
        return self._indexes[state]

    def _count(self, entry: Entry, by: int) -> None:
        is_open = entry.state == "proposed"
        self.open += by * is_open
        for support in entry.support:
            _add(self._support, support.tenant, by)
            if is_open:
                _add(self._open_of, support.tenant, by)


def is_common(entry: Entry) -> bool:
    """True for what other organisations may read."""
    return entry.shared and entry.state == "published"


def _add(counts: dict[str, int], name: str, by: int) -> None:
    """Names that come to nothing leave nothing."""
    counts[name] = counts.get(name, 0) + by
    if not counts[name]:
        del counts[name]
