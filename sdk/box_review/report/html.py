"""The review as one page: no script, no request to anywhere, readable on a phone and on paper."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from box_review.report import wording
from box_review.report.code import changes, context
from box_review.report.timeline import timeline
from box_review.review import ReviewRecord
from box_review.sanitize import visible


def render(record: ReviewRecord) -> str:
    """The record as a self-contained HTML page."""
    return (
        _template().render(record=record, wording=wording, timeline=timeline(record), context=context, changes=changes, plain=wording.plain)
        + "\n"
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("box_review.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("template.html.j2")


def _shown(value: object) -> object:
    """Whatever the template prints passes here before it is escaped, so that no field can be forgotten."""
    return visible(value, multiline=True) if isinstance(value, str) and not isinstance(value, Markup) else value
