#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
from warehouse.stock import Stock

asked = []


def policy(customer, sku, quantity):
    asked.append(customer)
    if customer == "slow":
        assert stock.reserve("fast", sku, quantity)
    return True


stock = Stock({"pot": 3}, policy)
assert stock.reserve("ann", "pot", 1)
assert not stock.reserve("ann", "pot", 9)
assert stock.available("pot") == 2
slow = stock.reserve("slow", "pot", 2)
assert "fast" in asked
assert not slow and stock.available("pot") == 0, f"{stock.available('pot')} are left"
EOF
