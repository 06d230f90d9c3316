#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
import random

from team.invites import Invitations

invitations = Invitations()
code = invitations.invite("blue", 0)
assert invitations.accept(code, 10) == "blue"
assert invitations.accept(code, 10) is None
random.seed(1)
first = invitations.invite("blue", 0)
random.seed(1)
second = invitations.invite("blue", 0)
assert first != second, "the code follows from the state of the random module"
EOF
