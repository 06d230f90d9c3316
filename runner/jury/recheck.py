"""Evidence is collected a second time, in the jury's own box: a claim that does not show again is dropped.

A reviewer's box ran hostile code's tools side by side with the reviewer; what it says is a claim, not a fact.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from box_review import Dropped, Finding

from runner.evidence.report import Report

NOT_REPRODUCED = "not reproduced: the evidence did not show again when the jury collected it in its own box"


def tools_of(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Analyzers that the findings rest on."""
    return tuple(sorted({item.tool for finding in findings for item in finding.evidence}))


def paths_of(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Files that the findings lie in."""
    return tuple(sorted({finding.path for finding in findings}))


def recheck(findings: Sequence[Finding], report: Report) -> tuple[tuple[Finding, ...], tuple[Dropped, ...]]:
    """Sort findings into those whose evidence is in the jury's `report` too, and those that are dropped."""
    seen: dict[tuple[str, str, str], list[tuple[int, int]]] = {}
    for result in report.results:
        seen.setdefault((result.tool, result.rule, result.path), []).append((result.start_line, result.end_line))
    kept, dropped = [], []
    for finding in findings:
        if any(_overlaps(finding, seen.get((item.tool, item.rule, finding.path), ())) for item in finding.evidence):
            kept.append(finding)
        else:
            dropped.append(finding.dropped(NOT_REPRODUCED))
    return tuple(kept), tuple(dropped)


def _overlaps(finding: Finding, places: Iterable[tuple[int, int]]) -> bool:
    return any(start <= finding.end_line and finding.start_line <= end for start, end in places)
