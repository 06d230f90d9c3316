#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
from portal.login import login, password_hash

users = {"ann": (b"salt", password_hash("secret", b"salt"))}


def location(target):
    return login({"name": "ann", "password": "secret", "next": target}, users).headers["Location"]


assert location("/orders?page=2") == "/orders?page=2"
for target in ("https://evil.example/", "javascript:alert(1)", "/\\evil.example", "orders", "//evil.example/login"):
    assert location(target) == "/home", target
EOF
