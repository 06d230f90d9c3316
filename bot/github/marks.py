"""Hidden marks by which we find again what we have written: GitHub knows no other way to do a thing just once."""

from __future__ import annotations

STICKY = "<!-- box-review:sticky -->"


def review(review_id: str) -> str:
    """In the review of a verdict."""
    return f"<!-- box-review:review:{review_id} -->"


def finding(finding_id: str) -> str:
    """In a comment at a line."""
    return f"<!-- box-review:finding:{finding_id} -->"


def fixed(finding_id: str) -> str:
    """In the answer to a comment whose finding is gone."""
    return f"<!-- box-review:fixed:{finding_id} -->"


def comparison(comment_id: int) -> str:
    """In the comment that compares models, as somebody's comment asked."""
    return f"<!-- box-review:comparison:{comment_id} -->"


def reply(comment_id: int) -> str:
    """In the answer to somebody's comment."""
    return f"<!-- box-review:reply:{comment_id} -->"
