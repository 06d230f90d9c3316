"""The import command."""

from __future__ import annotations

from collections.abc import Iterable

from contacts.importer import BadRow, import_rows
from contacts.store import Store


def run(lines: Iterable[str], store: Store) -> tuple[int, str]:
    """Import everything or nothing; return the exit code and a message."""
    try:
        summary = import_rows(lines, store)
    except BadRow as error:
        store.roll_back()
        return 1, str(error)
    store.commit()
    return 0, f"{summary.added} added, {summary.changed} changed"
