#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
import inspect

from metrics.site import Site

first = Site("shop")
first.request(200)
before = first.page()
assert before == 'requests_total{status="200"} 1\n', before
second = Site("blog", zone="west") if "zone" in inspect.signature(Site).parameters else Site("blog")
second.request(404)
assert 'status="404"' in second.page()
assert first.page() == before, f"another site changed this one: {first.page()}"
EOF
