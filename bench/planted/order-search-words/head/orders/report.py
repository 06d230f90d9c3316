"""Lists of orders as text."""

from __future__ import annotations

import sqlite3

from orders.search import search


def lines(connection: sqlite3.Connection, shop: str, customer: str) -> list[str]:
    """Return one line per order found."""
    found = search(connection, shop, customer)
    return [f"{row['id']:>6}  {row['customer']:<30} {row['total_cents'] / 100:>10.2f}" for row in found]
