"""The comparison as JUnit XML: a suite for each model, a case for each cell."""

from __future__ import annotations

from xml.etree import ElementTree as Xml

from box_review.comparison.answer import Status
from box_review.comparison.report import wording
from box_review.comparison.result import CellResult, Comparison
from box_review.sanitize import visible

_WORDS = 1000


def render(comparison: Comparison) -> str:
    """A cell fails that a score of right or wrong calls wrong; it is an error if it has no answer or a score could not be told."""
    suites = Xml.Element("testsuites", name=visible(comparison.title or "comparison"))
    for model in comparison.models:
        cells = [cell for cell in comparison.cells if cell.model == model.id]
        suite = Xml.SubElement(suites, "testsuite", name=model.id, tests=str(len(cells)))
        for cell in cells:
            _case(suite, cell, comparison)
        for count, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            suite.set(count, str(len(suite.findall(f"testcase/{kind}"))))
    Xml.indent(suites)
    return Xml.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: Xml.Element, cell: CellResult, comparison: Comparison) -> None:
    name = f"{cell.prompt}/{cell.input}" + (f"#{cell.repeat + 1}" if cell.repeat else "")
    case = Xml.SubElement(suite, "testcase", classname=cell.model, name=name, time=f"{cell.answer.seconds:.3f}")
    if cell.answer.status is Status.NOT_RUN:
        Xml.SubElement(case, "skipped", message=f"not run: {visible(cell.answer.error)}")
        return
    if cell.answer.status is Status.FAILED:
        Xml.SubElement(case, "error", message=visible(cell.answer.error)[:_WORDS])
        return
    marks = [(about, cell.marks[about.id]) for about in comparison.about if about.id in cell.marks]
    told = [(about, mark) for about, mark in marks if mark.value is not None]
    if told:
        properties = Xml.SubElement(case, "properties")
        for about, mark in told:
            Xml.SubElement(properties, "property", name=about.id, value=wording.figure(mark.value, about))
    if untold := [f"{about.id}: {visible(mark.error)}" for about, mark in marks if mark.error]:
        Xml.SubElement(case, "error", message="; ".join(untold)[:_WORDS])
    elif wrong := [about.id for about, mark in told if about.binary and mark.value == 0]:
        Xml.SubElement(case, "failure", message=f"wrong by {', '.join(wrong)}")
