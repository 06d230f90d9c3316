#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
import tempfile
from pathlib import Path

from deployer.push import handle

with tempfile.TemporaryDirectory() as folder:
    hook = Path(folder) / "site.sh"
    hook.write_text('printf "%s" "$1" > "$(dirname "$0")/branch"\n')
    seen = Path(folder) / "branch"
    marker = Path(folder) / "marker"
    event = {"ref": "refs/heads/main", "after": "a" * 40}
    assert handle(event, hook) == "deployed"
    assert seen.read_text() == "main"
    name = f"main;>{marker};:"
    handle({"ref": f"refs/heads/{name}", "after": "a" * 40}, hook)
    assert not marker.exists(), "a part of the branch name was run as a command"
    assert seen.read_text() == name
EOF
