"""Reports of a comparison, whatever models wrote into it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from box_review.comparison.answer import MOST_TEXT, Answer, Status
from box_review.comparison.report import render
from box_review.comparison.report.html import marked
from box_review.comparison.result import CaseResult, Comparison
from box_review.comparison.scores import Mark

from tests.browser import chromium, needs_chromium
from tests.sdk.comparison.made import cells, comparison, spec

HOSTILE = (
    "<script>alert(1)</script><img src=http://evil.example/x onerror=alert(1)> ]]> &lt; \"' \x1b[31m\x1b]0;title\x07\x00\x08\u202e\u200b"
    "\ud800 @everyone #1 [x](http://evil.example) ![y](http://evil.example/y.png) | --- `code` {{ 7 * 7 }} {% raw %}"
)
WHOLE = HOSTILE.replace("\ud800", "")


def plain_one() -> Comparison:
    """Two models, twelve cases, one of which one failed."""
    of = spec(scores=["exact_match"])
    return comparison(of, cells(["a", "b"], 12, lambda model, number, _: None if (model, number) == ("b", 0) else float(model == "a")))


def hostile_one() -> Comparison:
    """The same, in which every text that comes from elsewhere is hostile."""
    of = spec(scores=["exact_match", "hallucination_pct"])
    made = []
    for cell in cells(["a", "b"], 2, lambda *_: 0.0):
        answer = Answer(key="k", status=Status.ANSWERED, text=HOSTILE, characters=len(HOSTILE))
        if cell.model == "b":
            answer = Answer(key="k", status=Status.FAILED, error=HOSTILE)
        marks = {"hallucination_pct": Mark(value=100.0, note=HOSTILE, unsupported=(HOSTILE, "<script>"), missing=(HOSTILE,))}
        marks["exact_match"] = Mark(error=HOSTILE)
        made.append(cell.model_copy(update={"answer": answer, "marks": marks}))
    cases = tuple(
        CaseResult(prompt="p", input=name, asked=WHOLE, expected={WHOLE: WHOLE}, sources=((WHOLE, WHOLE),)) for name in ("i0", "i1")
    )
    return comparison(of, made, cases=cases, title=WHOLE, notes=(WHOLE,))


class Page(HTMLParser):
    """Collects what a browser would act upon."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.ids: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.ids |= {value for name, value in attrs if name == "id" and value}


def test_page_shows_figures_intervals_and_verdicts() -> None:
    page = render(plain_one(), "html")
    assert "a better" in page
    assert "1.000 [0.758, 1.000]" in page
    assert "not distinguishable" in page  # the share of answered cells
    assert re.search("<li>1 . it broke</li>", page)


def test_links_of_the_page_lead_to_what_is_on_it() -> None:
    page = Page(render(plain_one(), "html"))
    links = {value.removeprefix("#") for name, value in page.attributes if name == "href"}
    assert len(links) == 12 * 3
    assert links <= page.ids


@pytest.mark.parametrize("made", [plain_one, hostile_one])
def test_page_has_no_script_and_asks_nobody(made: object) -> None:
    assert callable(made)
    page = Page(render(made(), "html"))
    assert not page.tags & {"script", "img", "iframe", "object", "embed", "link", "form", "base", "a href"} - {"a"}
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("src", "srcset", "action", "xlink:href")]
    assert all(value.startswith("#") for name, value in page.attributes if name == "href")
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'; img-src data:") in page.attributes


def test_hostile_text_is_shown_and_does_nothing() -> None:
    found = hostile_one()
    page = render(found, "html")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page or "&lt;script&gt;</mark>" in page
    for form in ("html", "text", "markdown", "junit", "json"):
        text = render(found, form)
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e\u200b\ud800]", text), form
    assert "{{ 7 * 7 }}" in page
    live = re.sub("`[^`\n]*`", "", render(found, "markdown"))  # without what is set as code, and so is dead
    assert not [word for word in ("<script", "](", "@everyone", "#1 ") if word in live]


def test_unsupported_claims_are_marked_where_they_stand() -> None:
    page = marked("It has <a> and /b, and <a> again.", ["<a>", "not there", ""])
    assert page == ('It has <mark class="unsupported">&lt;a&gt;</mark> and /b, and <mark class="unsupported">&lt;a&gt;</mark> again.')
    assert marked("abc", ["b", "abc", "c"]) == '<mark class="unsupported">abc</mark>'


def test_json_is_the_comparison_itself() -> None:
    found = plain_one()
    read = json.loads(render(found, "json"))
    assert read["schema_version"] == 1
    assert Comparison.model_validate(read) == found


def test_junit_counts_what_is_wrong_and_what_failed() -> None:
    suites = Xml.fromstring(render(plain_one(), "junit"))
    counts = [(suite.get("name"), suite.get("tests"), suite.get("failures"), suite.get("errors")) for suite in suites]
    assert counts == [("a", "12", "0", "0"), ("b", "12", "11", "1")]
    Xml.fromstring(render(hostile_one(), "junit"))


def test_markdown_names_who_is_better_and_fits_a_comment() -> None:
    comment = render(plain_one(), "markdown")
    assert "- **exact\\_match**: a better" in comment or "**exact_match**: a better" in comment
    many = [f"model-{number:02}" for number in range(20)]
    of = spec(many, scores=[{"python": {"function": f"s.py:f{number}"}} for number in range(30)])
    assert len(render(comparison(of, cells(many, 2, lambda *_: 1.0)), "markdown")) <= 65_536


def test_passes_are_shown_where_there_are_repeats() -> None:
    of = spec(scores=["exact_match"], repeats=2)
    found = comparison(of, cells(["a", "b"], 4, lambda model, _, repeat: float(model == "a" or repeat == 0), 2))
    for form in ("text", "html"):
        text = render(found, form)
        assert "pass@2 (one of 2 is right): a 1.000, b 1.000" in text
        assert "pass^2 (all 2 are): a 1.000, b 0.000" in text
    assert "pass@" not in render(plain_one(), "text")


def test_terminal_has_one_model_below_the_other_where_there_is_no_room() -> None:
    found = plain_one()
    assert max(map(len, render(found, "text", width=200).splitlines()[:8])) > 60
    narrow = render(found, "text", width=40)
    assert "a\n  exact_match" in narrow


@needs_chromium
@pytest.mark.parametrize("made", [plain_one, hostile_one])
def test_browser_opens_the_page_and_the_answer_that_a_value_leads_to(made: object, tmp_path: Path) -> None:
    assert callable(made)
    (tmp_path / "report.html").write_text(render(made(), "html"))
    said: list[str] = []
    with chromium() as browser:
        page = browser.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("request", lambda request: None if request.url.startswith("file:") else said.append(request.url))
        page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        page.goto((tmp_path / "report.html").as_uri())
        assert page.locator("details.case[open]").count() == 0
        page.locator("a[href='#answer-2-0']").click()
        page.wait_for_selector("details.case[open] #answer-2-0")
        assert page.locator("#answer-2-0").is_visible()
        page.close()
    assert said == []


def test_page_of_huge_answers_can_be_opened() -> None:
    made = [
        cell.model_copy(update={"answer": Answer(key="k", status=Status.ANSWERED, text="<" * MOST_TEXT, characters=10_000_000)})
        for cell in cells(["a", "b"], 40, lambda *_: 0.0)
    ]
    page = render(comparison(spec(scores=["exact_match"]), made), "html")
    assert len(page) < 20_000_000
    assert "Cut here, of 10000000 characters" in page
