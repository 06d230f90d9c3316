"""Searching orders."""

from __future__ import annotations

import sqlite3

LIMIT = 100
MAX_WORDS = 8


def like_text(text: str) -> str:
    """Escape what LIKE would treat as a wildcard."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def conditions(words: list[str]) -> str:
    """Return the condition that every word occurs in the customer's name, in any order."""
    clauses = ["shop = :shop"]
    for word in words[:MAX_WORDS]:
        clauses.append(f"customer LIKE '%{like_text(word)}%' ESCAPE '\\'")
    return " AND ".join(clauses)


def search(connection: sqlite3.Connection, shop: str, customer: str) -> list[dict[str, object]]:
    """Return the orders of a shop whose customer contains all words of the text."""
    where = conditions(customer.split())
    rows = connection.execute(
        f"SELECT id, customer, total_cents FROM orders WHERE {where} ORDER BY id LIMIT :limit",
        {"shop": shop, "limit": LIMIT},
    )
    return [dict(row) for row in rows]
