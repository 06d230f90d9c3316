#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
from inventory.database import add, connect
from inventory.lookup import find

db = connect(":memory:")
rows = [(f"a{n:04d}", f"name {n % 7}", n) for n in range(1500)]
add(db, rows)
assert find(db, []) == []
assert find(db, ["a0002", "a0001", "a0002", "zz"]) == [rows[1], rows[2]]
assert find(db, ["x') OR 1=1 --", "' OR ''='"]) == []
for size in (499, 500, 501, 1000, 1500):
    assert find(db, [row[0] for row in rows[:size]]) == rows[:size], size
EOF
