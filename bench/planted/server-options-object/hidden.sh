#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
from server.app import App

first, second = App({"/": "home"}), App({}, host="::1", port=0)
assert first.address == "http://127.0.0.1:8080" and second.port == 0 and second.host == "::1"
first.add_header("Server", "small")
assert first.answer("/") == (200, {"X-Content-Type-Options": "nosniff", "Server": "small"}, "home")
assert second.answer("/") == (404, {"X-Content-Type-Options": "nosniff"}, "not found")
EOF
