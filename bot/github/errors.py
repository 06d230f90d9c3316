"""What can go wrong between us and GitHub, by what is to be done about it.

GitHubError
├── NotUnderstood (ValueError)   a comment's command cannot be read; its author is told
├── Unavailable                  no answer, or one that blames GitHub's side or a conflict; try again later
│   └── Limited                  too many calls; `after_s` says when
├── Denied                       we may not: suspended, uninstalled, a permission is missing, archived, locked
│   └── SignedOut                what we signed in with is not taken any more; the next one may be
├── Missing                      it is not there, or not for us
├── Rejected                     GitHub found the request wrong (422)
└── NotSetUp                     no App is configured

`LASTING` are those that trying again does not mend.
"""

from __future__ import annotations

from bot.errors import BotError


class GitHubError(BotError):
    """Base of what is raised here; its text is one sentence."""


class NotUnderstood(GitHubError, ValueError):
    """What a comment says is no command."""


class Unavailable(GitHubError):
    """GitHub gives no useful answer at the moment.

    Attributes:
        after_s: seconds to wait at least: what was asked for may still be done, and only then can be seen whether it was.
    """

    def __init__(self, message: str, after_s: float = 0.0) -> None:
        super().__init__(message)
        self.after_s = after_s


class Limited(Unavailable):
    """We have called too often: nothing was done, and nothing will be within `after_s` seconds."""


class Denied(GitHubError):
    """We are not allowed to, and trying again does not help."""


class SignedOut(Denied):
    """A token or key is not valid, or not any more."""


class Missing(GitHubError):
    """There is no such thing, or not any more."""


class Rejected(GitHubError):
    """The request is wrong for what is there."""


class NotSetUp(GitHubError):
    """There is no App yet."""


LASTING = (Denied, Missing, Rejected)
