"""What can go wrong on a runner host.

RunnerError
├── SourceUnusable (ValueError)    the uploaded archive is missing, damaged or no change can be made of it; the asker's fault
├── ReviewerFailed                 a reviewer could not come to an end; its message goes into the review
├── ArtifactMissing (LookupError)  the artifact store does not hold what should be there
└── HostMisconfigured              a setting of this host cannot be used; the operator's fault
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from box_review import RoleStatus

if TYPE_CHECKING:
    from runner.result import RoleResult


class RunnerError(Exception):
    """Base of what the runner raises on purpose; its text is one sentence."""


class SourceUnusable(RunnerError, ValueError):
    """No checkout can be made of an uploaded archive."""


class ReviewerFailed(RunnerError):
    """A reviewer ended without a result.

    Attributes:
        partial: what it had by then; None for nothing.
        status: failed, or timed out.
    """

    def __init__(self, why: str, *, partial: RoleResult | None = None, status: RoleStatus = RoleStatus.FAILED) -> None:
        super().__init__(why)
        self.partial, self.status = partial, status


class ArtifactMissing(RunnerError, LookupError):
    """Nothing is stored under a name."""


class HostMisconfigured(RunnerError):
    """A setting names something this host does not have."""
