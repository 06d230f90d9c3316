#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
from pricelist.money import to_cents, to_text
from pricelist.reader import changes, read

assert read(["tea; 4.50", "", "pot;12"]) == {"tea": 450, "pot": 1200}
assert changes({"tea": 450}, {"tea": 475}) == ["tea: 4.50 -> 4.75"]
for cents in range(0, 3000):
    assert to_cents(to_text(cents)) == cents, (to_text(cents), to_cents(to_text(cents)))
try:
    to_cents("4.505")
except ValueError:
    raise SystemExit(0) from None
raise SystemExit("4.505 was accepted")
EOF
