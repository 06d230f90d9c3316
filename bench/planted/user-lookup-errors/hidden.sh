#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
from people.profile import profile
from people.session import reset, sign_in
from people.users import Users

users = Users()
users.add("ann", "ann@example.org", "secret")
assert sign_in(users, "ann", "secret")[0] == 200
assert sign_in(users, "ann", "other")[0] == 401
assert profile(users, "kim")[0] == 404
sent = []
try:
    assert sign_in(users, "kim", "secret") == (401, "wrong name or password")
    assert reset(users, "kim", sent.append)[0] == 202
except LookupError as error:
    raise SystemExit(f"an unknown name is not handled: {error}") from None
assert sent == []
EOF
