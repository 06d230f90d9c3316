"""The code around a finding, and what its suggestion would change in it."""

from __future__ import annotations

from typing import NamedTuple

from box_review.finding import Finding


class CodeLine(NamedTuple):
    """One line of the head version; `meant` if the finding is about it."""

    number: int
    text: str
    meant: bool


class Change(NamedTuple):
    """One line of a suggestion: `sign` is `-` for a line that goes, `+` for one that comes."""

    sign: str
    text: str


def context(finding: Finding) -> list[CodeLine]:
    """The excerpt with line numbers; empty where the finding has none."""
    if finding.excerpt is None:
        return []
    numbered = enumerate(finding.excerpt.lines, finding.excerpt.start_line)
    return [CodeLine(number, text, finding.start_line <= number <= finding.end_line) for number, text in numbered]


def replaced_lines(finding: Finding) -> list[str] | None:
    """The lines the finding is about, or None where the excerpt does not show all of them."""
    meant = [line.text for line in context(finding) if line.meant]
    return meant if len(meant) == finding.end_line - finding.start_line + 1 else None


def suggested_lines(finding: Finding) -> list[str]:
    """The suggestion as lines; empty if it deletes, or if there is none."""
    return (finding.suggestion or "").removesuffix("\n").split("\n") if finding.suggestion else []


def changes(finding: Finding) -> list[Change]:
    """The suggestion as lines that go and lines that come; empty where there is none."""
    if finding.suggestion is None:
        return []
    before = replaced_lines(finding) or []
    return [Change("-", line) for line in before] + [Change("+", line) for line in suggested_lines(finding)]
