"""The page with the results."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

from directory.search import Profile, find

SNIPPET = 160


def highlight(text: str, term: str) -> str:
    """Return a text as HTML with every occurrence of the term marked, whatever its case."""
    if not term:
        return escape(text)
    out, position = [], 0
    for match in re.finditer(re.escape(term), text, re.IGNORECASE):
        out.append(escape(text[position : match.start()]))
        out.append(f"<mark>{match.group()}</mark>")
        position = match.end()
    out.append(escape(text[position:]))
    return "".join(out)


def snippet(text: str, term: str) -> str:
    """Return the beginning of a text as HTML."""
    short = text if len(text) <= SNIPPET else text[:SNIPPET].rstrip() + "…"
    return highlight(short, term)


def results(profiles: Iterable[Profile], term: str) -> str:
    """Return the page for a search."""
    found = find(profiles, term)
    rows = [f"<li><b>{escape(p.name)}</b> {snippet(p.about, term)}</li>" for p in found]
    head = f"<h1>{len(found)} results for {escape(term)}</h1>"
    return "\n".join([head, "<ul>", *rows, "</ul>"])
