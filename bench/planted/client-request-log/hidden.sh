#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
import io
import logging

from apiclient.client import Client

out = io.StringIO()
logging.basicConfig(stream=out, level=logging.DEBUG)
client = Client("https://api.example", "t0ps3cret", lambda method, address, headers: (200, b"{}"))
assert client.get("/things?page=1") == b"{}"
assert "https://api.example/things" in out.getvalue()
assert "application/json" in out.getvalue()
assert "t0ps3cret" not in out.getvalue(), "the token is in the log"
EOF
