#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
from pricing.quote import quote

for quantity, percent in ((1, 0), (9, 0), (11, 5), (49, 5), (99, 10), (500, 15), (10, 5), (50, 10), (100, 15)):
    found = quote(100, quantity).discount
    assert found == quantity * percent, f"{quantity} pieces: {found} instead of {quantity * percent}"
EOF
