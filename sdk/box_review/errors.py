"""What can go wrong, and whose fault it is.

BoxReviewError
├── InputError (ValueError)        yours: a path, ref, option or file that cannot be used
│   ├── NotARepository
│   └── ConfigInvalid              `.github/box-review.yml` says something that cannot be; `problems` has each with its line
├── ServerMissing                  the application `box-review` is not installed beside the SDK
├── ServerUnavailable              no server answered, or it went away
├── RequestRejected                the server refused; `status_code` says how
│   └── ReviewNotFound (LookupError)
└── ReviewInterrupted              the review did not come to its end
"""

from __future__ import annotations


class BoxReviewError(Exception):
    """Base of every error the SDK raises on purpose; its text is one sentence fit for a user."""


class InputError(BoxReviewError, ValueError):
    """Something the caller gave cannot be used."""


class NotARepository(InputError):
    """The path given is not inside a git repository."""


class ConfigInvalid(InputError):
    """A repository's own settings cannot be used.

    Attributes:
        problems: line and sentence of each.
    """

    def __init__(self, name: str, problems: list[tuple[int, str]]) -> None:
        super().__init__("\n".join(f"{name}:{line}: {said}" for line, said in problems))
        self.problems = tuple(problems)


class ServerMissing(BoxReviewError):
    """The command needs the application, and only the SDK is installed."""


class ServerUnavailable(BoxReviewError, ConnectionError):
    """No server answered within the deadline."""


class RequestRejected(BoxReviewError):
    """The server answered with an error.

    Attributes:
        status_code: the HTTP status it answered with.
    """

    def __init__(self, message: str, status_code: int) -> None:
        super().__init__(message)
        self.status_code = status_code


class ReviewNotFound(RequestRejected, LookupError):
    """The server knows no review by this id."""


class ReviewInterrupted(BoxReviewError):
    """The review stopped before a verdict."""
