"""Rows in SQLite."""

import sqlite3

from parcels.api import tracking

connection = sqlite3.connect("parcels.db", check_same_thread=False)
connection.row_factory = sqlite3.Row


def parcel(number):
    """One row as a dict, None where there is none."""
    row = connection.execute("SELECT * FROM parcels WHERE number = ?", (number,)).fetchone()
    return dict(row) if row else None


def parcels():
    """All rows."""
    return [dict(row) for row in connection.execute("SELECT * FROM parcels")]


def set_state(number, state):
    """Change the state of one parcel."""
    with connection:
        connection.execute("UPDATE parcels SET state = ? WHERE number = ?", (state, number))


def search(text, state=None):
    """Parcels whose receiver contains `text`, with their state in words."""
    query = f"SELECT * FROM parcels WHERE receiver LIKE '%{text}%'"
    if state:
        query += " AND state = ?"
    rows = connection.execute(query, (state,) if state else ())
    return [dict(row) | {"words": tracking.WORDS[row["state"]]} for row in rows]
