"""Every format says what the record says, and lets nothing in it act."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from box_review.errors import InputError
from box_review.report import FORMATS, render
from box_review.report.markdown import COMMENT_LIMIT
from box_review.review import ReviewRecord
from box_review.sanitize import visible

from tests.sdk import records

EVERY_RECORD = {
    "rich": records.record,
    "empty": records.empty_record,
    "partial": records.partial_record,
    "failed": records.failed_record,
    "cancelled": records.cancelled_record,
    "hostile": records.hostile_record,
}
FOR_PEOPLE = ("text", "markdown", "html")


@pytest.fixture(params=EVERY_RECORD)
def any_record(request) -> ReviewRecord:
    return EVERY_RECORD[request.param]()


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_record_is_written_the_same(form, any_record):
    again = ReviewRecord.model_validate(any_record.model_dump())
    assert render(any_record, form) == render(again, form)


@pytest.mark.parametrize("form", FORMATS)
def test_no_format_writes_characters_that_act(form, any_record):
    written = render(any_record, form)
    assert written.endswith("\n")
    assert visible(written, multiline=True) == written


def test_an_unknown_format_is_the_callers_mistake():
    with pytest.raises(InputError, match="pdf"):
        render(records.record(), "pdf")


@pytest.mark.parametrize("form", FOR_PEOPLE)
@pytest.mark.parametrize(
    "said",
    [
        "failure",
        "1 critical",
        "shop/export.py:42-43",
        "command-injection",
        "97%",
        "proven",
        "S602",
        "shellcheck is not installed",
        "says how it looks, not how it fails",
        "bubblewrap",
        "cold: files, 212 KB",
        "1 min 6 s",
        "123,600 tokens in",
        "0.21 USD",
        "claude-sonnet-4-5",
    ],
)
def test_people_are_told_everything(form, said):
    assert said in " ".join(render(records.record(), form).split())


@pytest.mark.parametrize("form", FOR_PEOPLE)
def test_the_worst_comes_first(form):
    written = render(records.record(summary=""), form)
    titles = ("file name reaches a shell", "A declined card counts", "Models import", "branch for version 1")
    places = [written.index(title) for title in titles]
    assert places == sorted(places)


@pytest.mark.parametrize("form", FOR_PEOPLE)
def test_who_did_not_finish_is_said_before_the_findings(form):
    written = render(records.partial_record(), form)
    first = written.index("file name reaches a shell")
    assert written.index("quality timed out") < first
    assert written.index("stopped after 900 s") < first
    assert written.index("architecture skipped") < first


@pytest.mark.parametrize("form", FOR_PEOPLE)
def test_a_review_by_analyzers_says_so(form):
    assert "analyzers only, no model was asked" in render(records.empty_record(), form)
    assert "analyzers only" not in render(records.record(), form)


@pytest.mark.parametrize("form", FOR_PEOPLE)
def test_gaps_of_one_reviewer_are_told(form):
    role = records.record().roles[0].model_copy(update={"not_covered": ("templates: too many",)})
    assert "security: templates: too many" in render(records.record(roles=(role,)), form)


def test_text_is_plain_unless_colour_is_asked_for():
    assert "\x1b" not in render(records.record(), "text")
    assert "\x1b[" in render(records.record(), "text", color=True)


def test_colour_changes_nothing_but_colour():
    plain = render(records.record(), "text")
    coloured = re.sub(r"\x1b\[[0-9;]*m", "", render(records.record(), "text", color=True))
    assert [line.rstrip() for line in coloured.splitlines()] == plain.splitlines()


def test_hostile_text_adds_no_sequences_to_colour():
    written = render(records.hostile_record(), "text", color=True)
    assert "\x1b" not in re.sub(r"\x1b\[[0-9;]*m", "", written)


@pytest.mark.parametrize("width", [40, 80, 132])
def test_text_keeps_to_its_width(any_record, width):
    assert max(len(line) for line in render(any_record, "text", width=width).splitlines()) <= width


def test_text_ignores_the_environment(monkeypatch):
    before = render(records.record(), "text")
    for name, value in {"FORCE_COLOR": "1", "COLUMNS": "30", "TERM": "dumb"}.items():
        monkeypatch.setenv(name, value)
    assert render(records.record(), "text") == before


def test_text_marks_the_lines_meant():
    lines = render(records.record(), "text").splitlines()
    assert '  > 42 │     command = f"zip -r {order.filename} {folder}"' in lines
    assert "    41 │     folder.mkdir(exist_ok=True)" in lines


def test_text_and_markdown_end_with_what_it_cost():
    for form in ("text", "markdown"):
        assert "not covered: 2, listed above" in render(records.record(), form).rstrip().splitlines()[-1]


def test_json_is_the_record():
    record = records.record()
    assert render(record, "json") == record.model_dump_json(indent=2) + "\n"
    assert ReviewRecord.model_validate_json(render(record, "json")) == record


def test_hostile_json_keeps_its_value():
    record = records.hostile_record()
    assert json.loads(render(record, "json")) == json.loads(record.model_dump_json())


@pytest.mark.parametrize(
    "threat", ["@octocat", "https://", "www.evil", "](", "![", "<script", "<img", "<!--", "javascript:", "GH-42", "#123"]
)
def test_hostile_markdown_has_nothing_live(threat):
    assert threat not in records.outside_code(render(records.hostile_record(), "markdown"))


def test_hostile_markdown_has_no_html_but_our_own():
    outside = records.outside_code(render(records.hostile_record(), "markdown"))
    assert set(re.findall(r"</?\w+[^>]*>", outside)) <= {"<details>", "</details>", "<summary>", "</summary>", "<sub>", "</sub>"}
    assert outside.count("<details>") == outside.count("</details>")


def test_rows_of_the_box_table_have_equal_cells():
    rows = [
        line for line in render(records.hostile_record(), "markdown").split("\n") if line.startswith(("| security", "| jury", "| lane"))
    ]
    assert len(rows) == 3
    assert {row.count("|") for row in rows} == {7}


def test_a_comment_is_never_longer_than_github_takes():
    many = tuple(
        records.hostile_finding(why="`" * 4000, scenario="<" * 4000, start_line=42, end_line=42 + n, excerpt=None) for n in range(300)
    )
    role = records.hostile_record().roles[0].model_copy(update={"not_covered": ("`" * 4000,) * 50})
    record = records.hostile_record().model_copy(update={"findings": many, "summary": "`" * 4000, "roles": (role,) * 16})
    written = render(record, "markdown")
    assert len(written) <= COMMENT_LIMIT
    assert "more findings" in written
    assert written.rstrip().endswith("</sub>")


class _Page(HTMLParser):
    """The tags and attributes a browser would see."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.values: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.values += [f"{name}={value}" for name, value in attrs]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_acts_on_nothing_and_asks_nobody(any_record):
    page = _Page(render(any_record, "html"))
    assert not page.open
    assert not page.tags & {"script", "img", "iframe", "link", "a", "form", "object", "textarea", "b", "base"}
    assert not {name for name in page.attributes if name.startswith("on")} | page.attributes & {"src", "href"}


def test_the_page_has_one_style_that_no_text_closes():
    page = render(records.hostile_record(), "html")
    assert page.count("<style>") == page.count("</style>") == 1
    assert "{{ 7 * 7 }}" in page


def test_the_page_forbids_what_it_does_not_need():
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in render(records.record(), "html")


def test_bars_of_the_timeline_stay_on_it(any_record):
    bars = re.findall(r"left:([\d.]+)%;width:([\d.]+)%", render(any_record, "html"))
    assert all(float(left) + float(width) <= 100.01 for left, width in bars)


def test_the_timeline_has_a_bar_for_each_stage():
    record = records.record()
    stages = sum(len(role.stages) for role in record.roles) + len(record.jury.stages)
    assert render(record, "html").count('style="left:') == stages
