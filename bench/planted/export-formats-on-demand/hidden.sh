#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
from exporter.export import export
from exporter.table import Table

table = Table(("name", "note"), (("Ann", "a, b"), ("Kim", "<x>")))
assert export(table, "csv") == 'name,note\nAnn,"a, b"\nKim,<x>\n'
assert "&lt;x&gt;" in export(table, "xml")
for name in ("json", "os", "exporter.csv_format", ""):
    try:
        export(table, name)
    except ValueError as error:
        assert str(error).startswith(f"no such format: {name}")
        continue
    raise SystemExit(name)
EOF
