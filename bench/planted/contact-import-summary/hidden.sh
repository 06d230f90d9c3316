#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
from contacts.command import run
from contacts.store import Store

store = Store()
code, text = run(["mail,name", "ann@example.org,Ann", "kim@example.org,Kim"], store)
assert code == 0 and text.startswith("2 added, 0 changed"), text
code, text = run(["mail,name", "lee@example.org,Lee", "nobody,No"], store)
assert code == 1, text
assert "lee@example.org" not in store.saved
EOF
