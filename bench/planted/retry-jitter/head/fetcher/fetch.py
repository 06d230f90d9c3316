"""Fetching one document."""

from __future__ import annotations

import time
from collections.abc import Callable

from fetcher.pauses import pauses

TRIES = 5


class Unavailable(Exception):
    """The document may be available later."""


def fetch(get: Callable[[], bytes], sleep: Callable[[float], None] = time.sleep, tries: int = TRIES) -> bytes:
    """Return a document, trying several times; the last error is raised."""
    for pause in pauses(tries):
        try:
            return get()
        except Unavailable:
            sleep(pause)
    return get()
