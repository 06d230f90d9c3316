#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
from dbpool.pool import Pool
from dbpool.users import mail_of


class Fake:
    def execute(self, statement, values):
        if values == ("broken",):
            raise RuntimeError("the server went away")
        return [("ann@example.org",)]


pool = Pool(Fake, size=2, timeout=0.1)
assert mail_of(pool, "ann") == "ann@example.org"
assert pool.free == 2
try:
    mail_of(pool, "broken")
except RuntimeError:
    pass
assert pool.free == 2, f"{pool.free} of 2 connections are free after a failed query"
EOF
