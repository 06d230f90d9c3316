#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
from newsletter.issue import Reader, send

sent = []
readers = [Reader("ann@example.org", "https://example.org/leave/ann"), Reader("kim@example.org")]
assert send("News", "text", readers, sent.append) == 2
assert sent[0]["List-Unsubscribe"] == "<https://example.org/leave/ann>"
assert sent[1]["Precedence"] == "bulk"
assert sent[1]["List-Unsubscribe"] is None, sent[1]["List-Unsubscribe"]
EOF
