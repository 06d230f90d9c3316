"""What the bot answers when it refuses, by whose fault it is.

BotError
├── Refused (ValueError)   the caller's request cannot be served; `status_code` is the HTTP status
│   └── NoSuchReview       404
└── Misconfigured          a setting of the server cannot be used; the operator's fault
"""

from __future__ import annotations


class BotError(Exception):
    """Base of what the bot raises on purpose; its text is one sentence."""


class Refused(BotError, ValueError):
    """The request cannot be served as it is."""

    def __init__(self, message: str, status_code: int = 422) -> None:
        super().__init__(message)
        self.status_code = status_code


class NoSuchReview(Refused):
    """Nothing is known by this id."""

    def __init__(self, review_id: str) -> None:
        super().__init__(f"no review {review_id!r}", 404)


class Misconfigured(BotError):
    """The server cannot start as it is set up."""
