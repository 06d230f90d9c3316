"""Searching orders."""

from __future__ import annotations

import sqlite3

LIMIT = 100


def like_text(text: str) -> str:
    """Escape what LIKE would treat as a wildcard."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def search(connection: sqlite3.Connection, shop: str, customer: str) -> list[dict[str, object]]:
    """Return the orders of a shop whose customer contains the text."""
    rows = connection.execute(
        "SELECT id, customer, total_cents FROM orders"
        " WHERE shop = ? AND customer LIKE ? ESCAPE '\\' ORDER BY id LIMIT ?",
        (shop, f"%{like_text(customer.strip())}%", LIMIT),
    )
    return [dict(row) for row in rows]
