"""What is counted of GitHub; `jobs.metrics` says how it gets to `/metrics`."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from weakref import WeakKeyDictionary

from prometheus_client import Counter, Gauge, Histogram

from jobs.metrics import REGISTRY

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
deliveries = Counter(
    "box_review_deliveries", "Deliveries of GitHub, by event and what became of them.", ["event", "outcome"], registry=REGISTRY
)
receiving = Histogram("box_review_delivery_seconds", "Time to answer a delivery.", buckets=_SECONDS, registry=REGISTRY)
calls = Counter("box_review_github_calls", "Calls of GitHub's API, by method and status.", ["method", "status"], registry=REGISTRY)
left = Gauge("box_review_github_calls_left", "The fewest calls that any installation has left for now.", registry=REGISTRY)
rounds = Counter("box_review_rounds", "Reviews of pull requests that came to an end, by conclusion.", ["conclusion"], registry=REGISTRY)

_left: WeakKeyDictionary[object, tuple[int, float]] = WeakKeyDictionary()


def note_left(whose: object, headers: Mapping[str, str]) -> None:
    """Remember what an answer of GitHub's says of an installation's limit."""
    count, ends_at = headers.get("x-ratelimit-remaining", ""), headers.get("x-ratelimit-reset", "")
    if count.isdigit() and ends_at.isdigit() and headers.get("x-ratelimit-resource", "core") == "core":
        _left[whose] = (int(count), float(ends_at))


def _fewest() -> float:
    return min((count for count, ends_at in _left.values() if ends_at > time.time()), default=math.nan)


left.set_function(_fewest)
