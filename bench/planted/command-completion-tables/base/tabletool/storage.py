"""Reading tables."""

from __future__ import annotations

import sqlite3

TABLES = {
    "customers": "SELECT id, name FROM customers ORDER BY id",
    "orders": "SELECT id, customer, cents FROM orders ORDER BY id",
}


def rows(database: str, table: str) -> list[tuple[object, ...]]:
    """Return all rows of a table."""
    connection = sqlite3.connect(database)
    try:
        return connection.execute(TABLES[table]).fetchall()
    finally:
        connection.close()
