"""The record as it is, for programs."""

from __future__ import annotations

from box_review.review import ReviewRecord
from box_review.sanitize import for_json


def render(record: ReviewRecord) -> str:
    """The record as indented JSON; characters a terminal would act on stand as `\\u` escapes."""
    return for_json(record.model_dump_json(indent=2)) + "\n"
