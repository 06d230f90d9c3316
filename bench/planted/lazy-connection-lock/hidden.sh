#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
import threading
import time

from client.connection import Shared
from client.people import mail_of

opened = []


class Fake:
    def ask(self, question):
        return {"mail ann": "ann@example.org"}.get(question, "")


def connect():
    opened.append(1)
    time.sleep(0.1)
    if len(opened) == 1:
        raise OSError("not yet")
    return Fake()


shared = Shared(connect)
try:
    shared.get()
except OSError:
    pass
else:
    raise SystemExit(1)
got = []
threads = [threading.Thread(target=lambda: got.append(shared.get())) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(opened) == 2 and len(got) == 8 and len(set(map(id, got))) == 1
assert mail_of(shared, "ann") == "ann@example.org" and mail_of(shared, "kim") is None
EOF
