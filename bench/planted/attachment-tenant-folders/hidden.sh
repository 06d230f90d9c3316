#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
import tempfile
from pathlib import Path

from helpdesk.attachments import AttachmentStore
from helpdesk.web import download, upload

with tempfile.TemporaryDirectory() as folder:
    store = AttachmentStore(Path(folder) / "acme")
    assert upload(store, "7/photo.txt", b"ok")[0] == 201
    assert download(store, "7/photo.txt") == (200, b"ok")
    other = Path(folder) / "acme-labs"
    other.mkdir()
    (other / "offer.txt").write_bytes(b"private")
    assert download(store, "../other/offer.txt")[0] == 404
    assert download(store, "../acme-labs/offer.txt")[0] == 404, "read outside the folder"
    assert upload(store, "../acme-labs/new.txt", b"x")[0] == 400, "written outside the folder"
EOF
