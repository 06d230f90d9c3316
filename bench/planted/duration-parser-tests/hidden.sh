#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
import subprocess
import sys

from durations.parse import parse, show

assert all(parse(show(seconds)) == seconds for seconds in range(0, 200000, 37))
done = subprocess.run([sys.executable, "-m", "unittest", "discover", "-q"], capture_output=True, text=True, check=False)
if done.returncode:
    raise SystemExit(done.stderr)
EOF
