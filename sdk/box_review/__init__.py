"""box-review: every pull request gets its own computers.

The contract between bot, runner and programs: models, errors and a client. Pure HTTP, no server code.
"""

from typing import TYPE_CHECKING, Any

from box_review.errors import (
    BoxReviewError,
    InputError,
    NotARepository,
    RequestRejected,
    ReviewInterrupted,
    ReviewNotFound,
    ServerMissing,
    ServerUnavailable,
)
from box_review.events import FinishedEvent, LaneEvent, ReviewEvent, RoleEvent
from box_review.finding import Dropped, Evidence, Excerpt, Finding, Proof, ProofState, Reproducer, Severity
from box_review.review import (
    BoxReport,
    ChangedFile,
    Conclusion,
    Earlier,
    EarlierState,
    JuryReport,
    Reviewer,
    ReviewRecord,
    ReviewRequest,
    ReviewStatus,
    RoleReport,
    RoleStatus,
    Stage,
    Usage,
    Vote,
)

if TYPE_CHECKING:
    from box_review.comparison import compare

__all__ = [
    "BoxReport",
    "BoxReviewError",
    "ChangedFile",
    "Conclusion",
    "Dropped",
    "Earlier",
    "EarlierState",
    "Evidence",
    "Excerpt",
    "Finding",
    "FinishedEvent",
    "InputError",
    "JuryReport",
    "LaneEvent",
    "NotARepository",
    "Proof",
    "ProofState",
    "Reproducer",
    "RequestRejected",
    "ReviewEvent",
    "ReviewInterrupted",
    "ReviewNotFound",
    "ReviewRecord",
    "ReviewRequest",
    "ReviewStatus",
    "Reviewer",
    "RoleEvent",
    "RoleReport",
    "RoleStatus",
    "ServerMissing",
    "ServerUnavailable",
    "Severity",
    "Stage",
    "Usage",
    "Vote",
    "__version__",
    "compare",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`compare` loads with its first use: the client of boxes takes half a second."""
    if name != "compare":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from box_review.comparison import compare  # noqa: PLC0415

    return compare
