"""Pages of the catalogue as text."""

from __future__ import annotations

from collections.abc import Sequence

from catalogue.paging import SIZE, Pager


def listing(articles: Sequence[str], number: int, size: int = SIZE) -> str:
    """Return one page of the list of articles."""
    pager = Pager(articles, size)
    number = pager.clamp(number)
    previous, following = pager.neighbours(number)
    lines = [f"* {article}" for article in pager.page(number)]
    lines += [f"< {previous}"] if previous else []
    lines += [f"> {following}"] if following else []
    return "\n".join([*lines, f"Page {number} of {pager.last}"])
