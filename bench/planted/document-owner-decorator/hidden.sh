#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
from docs_app.models import Forbidden
from docs_app.service import Documents

documents = Documents()
number = documents.create("ann", "Plan")
documents.write("ann", number, "text")
documents.rename("ann", number, "Plan B")
assert documents.read("ann", number) == "text"
assert documents.titles("ann") == ["Plan B"]
for call in (
    lambda: documents.read("kim", number),
    lambda: documents.write("kim", number, "x"),
    lambda: documents.rename("kim", number, "Mine"),
    lambda: documents.delete("kim", number),
):
    try:
        call()
    except Forbidden:
        continue
    raise SystemExit("somebody else's document could be used")
EOF
