#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
import subprocess
import sys

for module in ("billing.orders", "billing.invoice", "billing.pricing", "billing.pricelist"):
    done = subprocess.run([sys.executable, "-c", f"import {module}"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"import {module}: {done.stderr.strip().splitlines()[-1]}")
from billing.invoice import invoice
from billing.orders import Order

order = Order(1)
order.add("tea", 2)
assert invoice(order).endswith("Total 10.71"), invoice(order)
EOF
