#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
import subprocess
import sys

code = """
from registry.names import check_name
assert check_name("Alpha2") == "alpha2"
for name in ("2alpha", "al pha", "admin", "a" * 45 + "!"):
    try:
        check_name(name)
    except ValueError:
        continue
    raise SystemExit(f"accepted: {name}")
"""
try:
    done = subprocess.run([sys.executable, "-c", code], timeout=2, check=False)
except subprocess.TimeoutExpired:
    raise SystemExit("checking a name of 46 characters takes more than 2 s") from None
raise SystemExit(1 if done.returncode else 0)
EOF
