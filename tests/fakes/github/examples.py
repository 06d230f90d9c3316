"""GitHub's own examples of webhook payloads (MIT, from the npm package @octokit/webhooks-examples)."""

from __future__ import annotations

import functools
import gzip
import json
from pathlib import Path

from tests.fakes.github.wire import JSON

FILE = Path(__file__).parents[2] / "data" / "github" / "webhooks.json.gz"


@functools.cache
def _all() -> dict[str, list[JSON]]:
    return {event["name"]: event["examples"] for event in json.loads(gzip.decompress(FILE.read_bytes()))}


def examples(event: str, action: str | None = None) -> list[JSON]:
    """Payloads of an event, of one action if given. Raises KeyError for an event that has none."""
    return [payload for payload in _all()[event] if action in (None, payload.get("action"))]


def event_names() -> list[str]:
    """Events that there are examples of."""
    return sorted(_all())
