#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
from worker.queue import Queue, Task
from worker.run import run

done = []
queue = Queue()
queue.put(Task("one", lambda: done.append(1)))
queue.put(Task("two", lambda: done.append(2)))
assert run(queue).done == ["one", "two"] and done == [1, 2]


def stop():
    raise KeyboardInterrupt


queue.put(Task("stop", stop))
queue.put(Task("three", lambda: done.append(3)))
try:
    run(queue)
except KeyboardInterrupt:
    pass
else:
    raise SystemExit("the interrupt was caught")
assert run(queue).done == ["three"] and done == [1, 2, 3]
EOF
