#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
from jobs.run import Job, TemporaryError, run
from jobs.settings import Retry


def tries(retry):
    done = []

    def work():
        done.append(1)
        raise TemporaryError

    try:
        run(Job("x", work, retry), sleep=lambda seconds: None)
    except TemporaryError:
        return len(done)


assert tries(Retry()) == 4
assert tries(Retry(retries=1)) == 2
assert tries(Retry(retries=0)) == 1, tries(Retry(retries=0))
EOF
