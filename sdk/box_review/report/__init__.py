"""A review record made readable, for people and for programs.

`text` for a terminal, `markdown` for a pull-request comment, `json` for programs, `sarif` for code
scanning, `html` as one page to look at or keep. Each is a pure function of the record.
"""

from __future__ import annotations

from box_review.errors import InputError
from box_review.report import html, json, markdown, sarif, text
from box_review.review import ReviewRecord

FORMATS = ("text", "markdown", "json", "sarif", "html")

__all__ = ["FORMATS", "render"]


def render(record: ReviewRecord, format: str, *, color: bool = False, width: int = 100) -> str:  # noqa: A002 - the option's name
    """The whole record in one of `FORMATS`, ending with a newline.

    Args:
        color: mark severities in colour; `text` only.
        width: columns to fill; `text` only.

    Raises:
        InputError: no such format.
    """
    if format == "text":
        return text.render(record, color=color, width=width)
    plain = {"markdown": markdown.render, "json": json.render, "sarif": sarif.render, "html": html.render}
    if format not in plain:
        raise InputError(f"format {format!r} is unknown; use one of {', '.join(FORMATS)}")
    return plain[format](record)
