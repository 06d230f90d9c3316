"""What `/metrics` tells of GitHub."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
deliveries = Counter("box_review_deliveries", "Deliveries of GitHub, by event and what became of them.", ["event", "outcome"])
receiving = Histogram("box_review_delivery_seconds", "Time to answer a delivery.", buckets=_SECONDS)
calls = Counter("box_review_github_calls", "Calls of GitHub's API, by method and status.", ["method", "status"])
left = Gauge("box_review_github_rate_limit_remaining", "Calls that GitHub still allows, by installation.", ["installation"])
rounds = Counter("box_review_rounds", "Reviews of pull requests that came to an end, by conclusion.", ["conclusion"])
