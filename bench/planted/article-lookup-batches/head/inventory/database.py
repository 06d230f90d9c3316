"""The database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

TABLE = "CREATE TABLE IF NOT EXISTS articles (sku TEXT PRIMARY KEY, name TEXT NOT NULL, stock INTEGER NOT NULL)"


def connect(path: str) -> sqlite3.Connection:
    """Open the database and create the table."""
    connection = sqlite3.connect(path)
    connection.execute(TABLE)
    return connection


def add(connection: sqlite3.Connection, articles: Iterable[tuple[str, str, int]]) -> None:
    """Add articles."""
    with connection:
        connection.executemany("INSERT INTO articles (sku, name, stock) VALUES (?, ?, ?)", articles)
