"""Secrets taken out of text that leaves the box. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "****"
# The body of a private key: whole lines of base64, which no name beside them gives away.
_ENCODED_LINE = re.compile(r"^(\W{0,8})[A-Za-z0-9+/=]{40,}(\W{0,8}|\\n\W{0,8})$")


def masked(text: str, secrets: Iterable[str]) -> str:
    """`text` with each secret cut to its first two characters, the longest first, and encoded key lines emptied."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, secret[:2] + MASK)
    return _ENCODED_LINE.sub(rf"\1{MASK}\2", text)
