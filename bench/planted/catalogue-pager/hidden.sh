#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
from catalogue.views import listing

articles = [f"a{n}" for n in range(40)]
assert "* a0" in listing(articles, 1) and "Page 1 of 3" in listing([*articles, "a40"], 1)
last = listing(articles, 99).splitlines()
assert last[-1] == "Page 2 of 2", last[-1]
assert "* a39" in last
EOF
