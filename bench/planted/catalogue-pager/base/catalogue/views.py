"""Pages of the catalogue as text."""

from __future__ import annotations

from collections.abc import Sequence

from catalogue.paging import SIZE, page, page_count


def listing(articles: Sequence[str], number: int, size: int = SIZE) -> str:
    """Return one page of the list of articles."""
    last = page_count(articles, size)
    number = min(max(number, 1), last)
    lines = [f"* {article}" for article in page(articles, number, size)]
    return "\n".join([*lines, f"Page {number} of {last}"])
