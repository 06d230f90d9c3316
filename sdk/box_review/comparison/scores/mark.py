"""What one score says of one answer."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import BaseModel, ConfigDict, Field

from box_review.comparison.answer import Text
from box_review.comparison.plan import Case

MOST_LISTED = 200


class Mark(BaseModel):
    """A value, and what it rests on.

    Attributes:
        value: from 0 to 1, or to 100 for a percentage; None where there is nothing to be said, as of an answer without claims.
        note: in a few words, why.
        unsupported: claims of the answer that are wrong, or stand nowhere in the sources; `MOST_LISTED` at most.
        missing: expected claims that the answer lacks.
        error: why there is no value though there should be one.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    value: float | None = None
    note: Text = Field(default="", max_length=2000)
    unsupported: tuple[Text, ...] = ()
    missing: tuple[Text, ...] = ()
    error: Text = Field(default="", max_length=2000)


Scorer = Callable[[str, Case], Mark]
"""An answer and its case; never a cell that failed."""


def listed(claims: list[str]) -> tuple[str, ...]:
    """As many as a mark holds."""
    return tuple(claims[:MOST_LISTED])
