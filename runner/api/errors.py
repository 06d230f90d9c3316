"""What the box API refuses, as `{"error": sentence}` with a status.

ApiError (Exception)     `status` is the HTTP status
├── BadInput    400      the caller's request makes no sense
├── Missing     404      no such box, snapshot, file or run for this tenant
├── Taken       409      the box is in no state for it, or a name is in use
└── TooLarge    413      more than a limit allows
"""

from __future__ import annotations


class ApiError(Exception):
    """Base; its text is one sentence for the caller."""

    status = 400


class BadInput(ApiError):
    """The request cannot be understood or served as it is."""


class Missing(ApiError):
    """There is no such thing, or not for this tenant: the answer is the same."""

    status = 404


class Taken(ApiError):
    """Somebody or something else has it."""

    status = 409


class TooLarge(ApiError):
    """Beyond a limit; the text names it."""

    status = 413
