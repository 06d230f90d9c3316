"""Looking articles up."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Literal

Row = tuple[str, str, int]
Order = Literal["number", "name", "stock"]

BATCH = 500
COLUMNS = {"number": 0, "name": 1, "stock": 2}


def find(connection: sqlite3.Connection, skus: Iterable[str], order: Order = "number") -> list[Row]:
    """Return the articles there are, sorted by number, or by name or stock and then number."""
    column = COLUMNS[order]
    wanted = sorted(set(skus))
    found: list[Row] = []
    for start in range(0, len(wanted), BATCH):
        batch = wanted[start : start + BATCH]
        marks = ", ".join("?" * len(batch))
        found += connection.execute(f"SELECT sku, name, stock FROM articles WHERE sku IN ({marks})", batch)
    return sorted(found, key=lambda row: (row[column], row[0]))
