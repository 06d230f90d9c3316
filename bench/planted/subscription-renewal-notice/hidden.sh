#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
from datetime import date, timedelta

from subscriptions.overview import overview
from subscriptions.rules import Subscription

today = date.today()
items = [
    Subscription("ann", date(1990, 1, 1), date(1990, 12, 31)),
    Subscription("kim", today - timedelta(days=400), today + timedelta(days=3)),
]
assert overview(items, date(1989, 1, 1)) == ["ann: not started", "kim: not started"]
assert overview(items, date(1990, 3, 1))[0] == "ann: active"
assert overview(items, today - timedelta(days=300))[1] == "kim: active", "a past day depends on the clock"
EOF
