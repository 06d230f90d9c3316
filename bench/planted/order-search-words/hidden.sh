#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
import sqlite3

from orders.schema import connect
from orders.search import search

db = connect(":memory:")
db.executemany(
    "INSERT INTO orders (shop, customer, total_cents) VALUES (?, ?, ?)",
    [("north", "Ann Hill", 100), ("north", "Pat O'Neil", 200), ("south", "Kim Dale", 300)],
)
assert [row["id"] for row in search(db, "north", "Hill")] == [1]
try:
    assert [row["id"] for row in search(db, "north", "O'Neil")] == [2]
    leaked = search(db, "north", "zz'OR/**/1=1--")
except sqlite3.Error as error:
    raise SystemExit(f"the text became part of the query: {error}") from None
assert leaked == [], leaked
EOF
