"""Looking articles up."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

Row = tuple[str, str, int]


def find(connection: sqlite3.Connection, skus: Iterable[str]) -> list[Row]:
    """Return the articles there are, sorted by number."""
    found = []
    for sku in set(skus):
        row = connection.execute("SELECT sku, name, stock FROM articles WHERE sku = ?", (sku,)).fetchone()
        if row is not None:
            found.append(row)
    return sorted(found)
