#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
from fetcher.fetch import Unavailable, fetch

slept = []


def never():
    raise Unavailable


try:
    fetch(never, slept.append, tries=9)
except Unavailable:
    pass
else:
    raise SystemExit(1)
assert len(slept) == 8
for number, pause in enumerate(slept):
    full = min(0.5 * 2**number, 30.0)
    assert full / 2 <= pause <= full, (number, pause)
assert fetch(lambda: b"x", slept.append) == b"x" and len(slept) == 8
EOF
