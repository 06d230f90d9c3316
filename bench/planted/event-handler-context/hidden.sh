#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
from events.base import Event
from events.bus import Bus
from events.counting import CountingHandler
from extensions.audit import AuditHandler

bus, counting, audit = Bus(), CountingHandler(), AuditHandler()
bus.add(counting)
bus.add(audit)
assert bus.send(Event("viewed", "page 1")) == 1
bus.send(Event("deleted", "page 1"))
assert counting.counts == {"viewed": 1, "deleted": 1}
assert audit.trail == ["deleted: page 1"], "the audit trail misses an event"
EOF
