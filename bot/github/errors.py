"""What can go wrong between us and GitHub, by what is to be done about it.

GitHubError
├── NotUnderstood (ValueError)   a comment's command cannot be read; its author is told
├── Unavailable                  no answer, or one that blames GitHub's side; try again later
│   └── Limited                  too many calls; `after_s` says when
├── Denied                       we may not: suspended, uninstalled, a permission is missing, archived, locked
├── Missing                      it is not there, or not for us
├── Rejected                     GitHub found the request wrong (422, 409); `fields` says where
└── NotSetUp                     no App is configured
"""

from __future__ import annotations

from bot.errors import BotError


class GitHubError(BotError):
    """Base of what is raised here; its text is one sentence."""


class NotUnderstood(GitHubError, ValueError):
    """What a comment says is no command."""


class Unavailable(GitHubError):
    """GitHub gives no useful answer at the moment."""


class Limited(Unavailable):
    """We have called too often.

    Attributes:
        after_s: seconds to wait.
    """

    def __init__(self, message: str, after_s: float) -> None:
        super().__init__(message)
        self.after_s = after_s


class Denied(GitHubError):
    """We are not allowed to, and trying again does not help."""


class Missing(GitHubError):
    """There is no such thing, or not any more."""


class Rejected(GitHubError):
    """The request is wrong for what is there."""


class NotSetUp(GitHubError):
    """There is no App yet."""
