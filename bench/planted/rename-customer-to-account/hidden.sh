#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
from ledger.customers import Customer, Ledger, UnknownCustomer
from ledger.report import report

ledger = Ledger()
ledger.open("ann").bookings.append(1250)
ledger.open("ann").bookings.append(-250)
assert isinstance(ledger.get("ann"), Customer) and ledger.get("ann").balance == 1000
assert Customer("x").balance == 0
try:
    ledger.get("kim")
except UnknownCustomer as error:
    assert error.args == ("kim",)
else:
    raise SystemExit(1)
assert report(ledger, ["ann", "kim"]) == ["ann: 10.00", "kim: unknown"]
EOF
