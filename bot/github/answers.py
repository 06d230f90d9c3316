"""What GitHub's answers of 400 and more mean for what is to be done."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import httpx

from bot.github.errors import Denied, GitHubError, Limited, Missing, Rejected, SignedOut, Unavailable

UNKNOWN_S = 60.0
"""For a limit that does not say when it ends."""
LONGEST_S = 3700.0
"""No limit of GitHub's is longer; a clock that is wrong must not make it so."""
_PASSING = (408, 409)


def failure(method: str, url: str, answer: httpx.Response) -> GitHubError:
    """The error that an answer is."""
    said = f"GitHub answered {method} {url} with {answer.status_code}: {_words(answer)}"
    status, wait_s = answer.status_code, _wait_s(answer)
    if status == 429 or (status == 403 and wait_s is not None):
        return Limited(said, UNKNOWN_S if wait_s is None else min(wait_s, LONGEST_S))
    if status >= 500 or status in _PASSING:
        return Unavailable(said)
    kinds = {401: SignedOut, 403: Denied, 404: Missing, 410: Missing, 451: Missing}
    return kinds.get(status, Rejected)(said)


def _wait_s(answer: httpx.Response) -> float | None:
    """Seconds until a limit ends, if there is one."""
    headers = answer.headers
    try:
        if "retry-after" in headers:
            return max(0.0, float(headers["retry-after"]))
        if headers.get("x-ratelimit-remaining") == "0" and "x-ratelimit-reset" in headers:
            return max(1.0, float(headers["x-ratelimit-reset"]) - time.time())
    except ValueError:
        return UNKNOWN_S
    return UNKNOWN_S if "secondary rate limit" in _words(answer).lower() else None


def _words(answer: httpx.Response) -> str:
    """GitHub's own words, with what it says of single fields."""
    try:
        body = answer.json()
    except ValueError:
        return answer.reason_phrase
    if not isinstance(body, dict):
        return answer.reason_phrase
    details = [error if isinstance(error, str) else _detail(error) for error in body.get("errors") or ()]
    return "; ".join(part for part in (str(body.get("message", "")), *details) if part)[:500]


def _detail(error: Mapping[str, Any]) -> str:
    return str(error.get("message") or error.get("field") or "")
