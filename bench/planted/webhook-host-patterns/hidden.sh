#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
from webhooks.config import read_patterns
from webhooks.targets import TargetError, check_target

patterns = read_patterns("hooks.example.org\n.partner.example  # all of them\n")
assert check_target("https://hooks.example.org/in", patterns) == "hooks.example.org"
assert check_target("https://eu.partner.example/in", patterns) == "eu.partner.example"
for address in ("http://hooks.example.org/", "https://other.test/", "https://evilpartner.example/in"):
    try:
        check_target(address, patterns)
    except TargetError:
        continue
    raise SystemExit(f"accepted: {address}")
EOF
