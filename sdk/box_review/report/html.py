"""The review as one page: no script, no request to anywhere, readable on a phone and on paper."""

from __future__ import annotations

import re
from functools import cache

from jinja2 import BaseLoader, ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from box_review.report import wording
from box_review.report.code import changes, context
from box_review.report.timeline import timeline
from box_review.review import ReviewRecord
from box_review.sanitize import visible


def render(record: ReviewRecord) -> str:
    """The record as a self-contained HTML page."""
    return _template().render(record=record, timeline=timeline(record)) + "\n"


_CODE_SPAN = re.compile("(?<!`)`([^`\n]+)`(?!`)")


@cache
def _template() -> Template:
    return environment().get_template("template.html.j2")


def environment(*more: BaseLoader) -> Environment:
    """What renders pages with texts of reviews: the report's templates and `more`, which may use its `parts.html.j2` and `style.css.j2`."""
    made = Environment(
        loader=ChoiceLoader([*more, PackageLoader("box_review.report", ".")]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["with_code"] = _with_code
    made.globals.update(wording=wording, context=context, changes=changes, plain=wording.plain)
    return made


def _shown(value: object) -> object:
    """Whatever the template prints passes here before it is escaped, so that no field can be forgotten."""
    return visible(value, multiline=True) if isinstance(value, str) and not isinstance(value, Markup) else value


def _with_code(text: str) -> Markup:
    """`text` with what stands in single backticks set as code, all of it escaped."""
    parts = _CODE_SPAN.split(visible(text, multiline=True))
    return Markup("").join(Markup("<code>{}</code>").format(part) if at % 2 else escape(part) for at, part in enumerate(parts))
