#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
import inspect
import tempfile
from pathlib import Path

from thumbs.service import Thumbnails

content = b"1 2 3\n4 5 6\n7 8 9"
plain = Thumbnails()
assert plain.get(content, 2) == b"1 3\n7 9"
assert plain.get(content, 2) == b"1 3\n7 9" and plain.made == 2
if inspect.signature(Thumbnails).parameters:
    with tempfile.TemporaryDirectory() as folder:
        kept = Thumbnails(Path(folder) / "cache")
        for _ in range(2):
            assert kept.get(content, 2) == b"1 3\n7 9"
            assert kept.get(content, 1) == content
        assert kept.made == 2
EOF
