"""The page with the results."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from directory.search import Profile, find

SNIPPET = 160


def snippet(text: str) -> str:
    """Return the beginning of a text as HTML."""
    short = text if len(text) <= SNIPPET else text[:SNIPPET].rstrip() + "…"
    return escape(short)


def results(profiles: Iterable[Profile], term: str) -> str:
    """Return the page for a search."""
    found = find(profiles, term)
    rows = [f"<li><b>{escape(p.name)}</b> {snippet(p.about)}</li>" for p in found]
    head = f"<h1>{len(found)} results for {escape(term)}</h1>"
    return "\n".join([head, "<ul>", *rows, "</ul>"])
