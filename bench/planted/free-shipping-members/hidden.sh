#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
from shipping.cart import Cart
from shipping.rates import rate

assert rate(Cart(5000, 900, "DE")) == 0
assert rate(Cart(4999, 900, "DE")) == 390
assert rate(Cart(1000, 900, "FR")) == 990
assert rate(Cart(9000, 900, "FR")) == 990, "free to another country"
assert rate(Cart(9000, 900, "DE", bulky=True)) == 2890, "free though bulky"
EOF
