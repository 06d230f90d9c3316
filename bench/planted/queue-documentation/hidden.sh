#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
from parcels.queue import Queue

queue = Queue(limit=2)
assert queue.take() is None
queue.put("a")
queue.put("b")
first = queue.take()
queue.failed(first)
assert [queue.take().body, len(queue)] == ["b", 1]
again = queue.take()
assert again is first and again.taken == 2
queue.failed(again)
assert len(queue) == 0 and queue.dead == [first]
once = Queue(limit=1)
once.put("x")
once.failed(once.take())
assert once.take() is None and len(once.dead) == 1
EOF
