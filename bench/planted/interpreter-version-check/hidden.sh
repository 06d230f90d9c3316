#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
import sys
import tempfile
from pathlib import Path

from envs.config import read
from envs.overview import overview

with tempfile.TemporaryDirectory() as folder:
    odd = Path(folder) / "x; touch marker"
    odd.write_text("not a program")
    lines = overview(read(f"main = {sys.executable}\nold = /nowhere/python\nodd = {odd}\n"))
    assert len(lines) == 3 and lines[2].endswith("missing"), lines
    assert lines[0].startswith("main") and not lines[0].endswith("missing")
    assert not Path("marker").exists() and not (Path(folder) / "marker").exists()
try:
    read("bad = python")
except ValueError:
    raise SystemExit(0) from None
raise SystemExit(1)
EOF
