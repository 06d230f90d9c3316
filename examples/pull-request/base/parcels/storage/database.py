"""Rows in SQLite."""

import sqlite3

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
