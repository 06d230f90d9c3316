#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
from gate.keys import Keys
from gate.requests import client_of

keys = Keys()
first, other = keys.issue("shop"), keys.issue("blog")
assert client_of(keys, {"authorization": f"Bearer {first}"}) == "shop"
assert client_of(keys, {"authorization": f"bearer  {other} "}) == "blog"
for wrong in ("", "Bearer", "Bearer ", f"Basic {first}", f"Bearer {first}x", f"Bearer {first[:-1]}", "Bearer é"):
    assert client_of(keys, {"authorization": wrong}) is None, wrong
second = keys.issue("shop")
assert client_of(keys, {"authorization": f"Bearer {first}"}) is None
assert client_of(keys, {"authorization": f"Bearer {second}"}) == "shop"
keys.revoke("shop")
keys.revoke("nobody")
assert client_of(keys, {"authorization": f"Bearer {second}"}) is None
assert client_of(keys, {"authorization": f"Bearer {other}"}) == "blog"
EOF
