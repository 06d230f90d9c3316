"""The tables."""

from __future__ import annotations

import sqlite3

TABLES = """
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY,
    shop TEXT NOT NULL,
    customer TEXT NOT NULL,
    total_cents INTEGER NOT NULL
);
"""


def connect(path: str) -> sqlite3.Connection:
    """Open the database and create what is missing."""
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    connection.executescript(TABLES)
    return connection
