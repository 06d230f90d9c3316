"""A comparison as people and programs read it."""

from __future__ import annotations

from box_review.comparison.report import html, junit, markdown, text
from box_review.comparison.result import Comparison
from box_review.comparison.store import Store
from box_review.sanitize import for_json

FORMATS = ("text", "json", "html", "junit", "markdown")
FILES = {"html": "report.html", "json": "report.json", "junit": "report.xml", "markdown": "report.md"}


def render(comparison: Comparison, form: str, *, width: int = 100) -> str:
    """A comparison in one of `FORMATS`; `width` is a terminal's, for text."""
    if form == "text":
        return text.render(comparison, width)
    if form == "json":
        return for_json(comparison.model_dump_json(indent=1)) + "\n"
    return {"html": html.render, "junit": junit.render, "markdown": markdown.render}[form](comparison)


def write_reports(comparison: Comparison, store: Store) -> None:
    """All of `FILES` into the folder of the comparison. Raises InputError."""
    for form, name in FILES.items():
        store.write(name, render(comparison, form))


__all__ = ["FILES", "FORMATS", "render", "write_reports"]
