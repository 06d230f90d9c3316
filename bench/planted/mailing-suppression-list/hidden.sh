#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
import asyncio
import warnings

from mailing.send import send
from mailing.suppression import Suppression

warnings.simplefilter("ignore")
got = []


async def deliver(address, text):
    got.append(address)


people = ["ann@example.org", "Kim@example.org", "lee@example.org"]
result = asyncio.run(send("Hello", people, Suppression(["kim@example.org"]), deliver))
assert result.skipped == ["Kim@example.org"], result
assert got == result.sent == ["ann@example.org", "lee@example.org"], got
EOF
