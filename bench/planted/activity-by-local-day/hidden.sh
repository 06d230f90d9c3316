#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
from datetime import date, timedelta, timezone

from activity.days import by_day
from activity.summary import summary

zone = timezone(timedelta(hours=2))
assert summary([], zone) == "nothing yet"
assert by_day(["2024-05-01T09:30:00+02:00"], zone) == {date(2024, 5, 1): 1}
found = by_day(["2024-05-01T22:30:00+00:00", "2024-05-02T01:00:00+02:00"], zone)
assert found == {date(2024, 5, 2): 2}, found
EOF
