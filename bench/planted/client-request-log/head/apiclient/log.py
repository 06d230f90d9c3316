"""What is logged of a request."""

from __future__ import annotations

import logging
from collections.abc import Mapping

logger = logging.getLogger("apiclient")

SECRET = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key"})
HIDDEN = "[hidden]"
MAX_VALUE = 200


def shorten(value: str) -> str:
    """Return a value without line breaks and no longer than a log line can bear."""
    value = " ".join(value.split())
    return value if len(value) <= MAX_VALUE else f"{value[:MAX_VALUE]}..."


def describe(headers: Mapping[str, str]) -> str:
    """Return the headers as one text, sorted by name; secrets are replaced."""
    parts = []
    for name, value in sorted(headers.items()):
        hidden = HIDDEN if name in SECRET else shorten(value)
        parts.append(f"{name.lower()}={hidden}")
    return " ".join(parts)


def log_request(method: str, address: str, headers: Mapping[str, str]) -> None:
    """Log one request as one line."""
    if logger.isEnabledFor(logging.DEBUG):
        logger.debug("%s %s %s", method, address.partition("?")[0], describe(headers))
