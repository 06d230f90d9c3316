#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
import tempfile
from pathlib import Path

from static.serve import Site

with tempfile.TemporaryDirectory() as folder:
    root = Path(folder) / "site"
    (root / "css").mkdir(parents=True)
    (root / "css" / "main.css").write_bytes(b"body {}")
    (Path(folder) / "site-secret").mkdir()
    (Path(folder) / "site-secret" / "key").write_bytes(b"key")
    (Path(folder) / "site-secret" / "index.html").write_bytes(b"private")
    (root / "out").mkdir()
    (root / "out" / "index.html").symlink_to(Path(folder) / "site-secret" / "key")
    (root / "away").symlink_to(Path(folder) / "site-secret")
    site = Site(root)
    assert site.answer("/css/main.css") == (200, "text/css; charset=utf-8", b"body {}")
    for path in ("/css", "/../site-secret/key", "/%2e%2e/site-secret/key", "/../site-secret", "/out", "/away", "/x%00", "//etc"):
        assert site.answer(path)[0] == 404, path
EOF
