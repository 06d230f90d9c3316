"""An example of a table."""

from __future__ import annotations

from dbpool.pool import Pool


def mail_of(pool: Pool, name: str) -> str | None:
    """Return the mail address of a user."""
    rows = pool.query("SELECT mail FROM users WHERE name = ?", name)
    return str(rows[0][0]) if rows else None
