"""What is logged of a request."""

from __future__ import annotations

import logging
from collections.abc import Mapping

logger = logging.getLogger("apiclient")

SECRET = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key"})
HIDDEN = "[hidden]"


def log_request(method: str, address: str, headers: Mapping[str, str]) -> None:
    """Log one request, a line per header; secrets are replaced."""
    logger.debug("%s %s", method, address.partition("?")[0])
    for name, value in headers.items():
        shown = HIDDEN if name.lower() in SECRET else value
        logger.debug("  %s: %s", name, shown)
