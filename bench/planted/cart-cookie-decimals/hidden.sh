#!/bin/sh
set -eu
export PYTHONDONTWRITEBYTECODE=1
exec /usr/bin/python3 - <<'EOF'
import base64
import os
import pickle
import tempfile

from store.pages import add_article, cart_of

header = add_article("", "tea", "4.50").partition(";")[0]
assert cart_of(header).lines["tea"][0] == 1
with tempfile.TemporaryDirectory() as folder:
    marker = os.path.join(folder, "made")

    class Payload:
        def __reduce__(self):
            return os.mkdir, (marker,)

    cart_of("cart=" + base64.urlsafe_b64encode(pickle.dumps(Payload())).decode())
    assert not os.path.exists(marker), "code from the cookie was run"
EOF
