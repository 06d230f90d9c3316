#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
from usage.report import report

assert report([]) == []
rows = report(["# May", "acme 120", "", "north 30", "acme 50"])
assert [row.partition(" s")[0] for row in rows] == ["acme: 170", "north: 30"], rows
EOF
