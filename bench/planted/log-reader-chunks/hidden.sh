#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
import tempfile
from pathlib import Path

from logview.reader import read_lines
from logview.search import search, tail

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "app.log"
    path.write_bytes(b"one\r\ntwo\n\nthree")
    assert list(read_lines(path)) == ["one", "two", "", "three"]
    for shift in range(3):
        line = "x" * (shift + 50) + " Zürich €" * 20000
        path.write_text(f"{line}\nend\n", encoding="utf-8")
        assert tail(path, 1) == ["end"]
        assert next(search(path, "end")) == (2, "end")
        assert next(read_lines(path)) == line, "a character was damaged"
EOF
