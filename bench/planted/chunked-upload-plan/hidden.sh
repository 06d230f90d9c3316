#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
from upload.plan import plan
from upload.send import upload

for size in range(0, 200):
    for largest in range(1, 30):
        parts = plan(size, largest)
        assert len(parts) == max(1, (size + largest - 1) // largest)
        assert parts[0].start == 0 and parts[-1].end == size
        assert all(a.end == b.start for a, b in zip(parts, parts[1:]))
        assert all(part.size <= largest for part in parts) and (not size or all(part.size > 0 for part in parts))
got = []
upload(b"x" * 20, lambda header, part: got.append((header, part)), largest=10)
assert got == [("bytes 0-9/20", b"x" * 10), ("bytes 10-19/20", b"x" * 10)]
got.clear()
assert upload(b"", lambda header, part: got.append(header)) == 1 and got == ["bytes */0"]
EOF
