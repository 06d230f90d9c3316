"""Results into findings: which words fit, and what of the result is written into them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from box_review.finding import Dropped, Evidence, Finding, Severity

from runner.evidence.errors import UnknownRole
from runner.evidence.report import Report, Result
from runner.evidence.words import Words, words_by_role

ROLES: tuple[str, ...] = tuple(sorted(words_by_role()))
"""The roles that have words: for these, evidence alone makes a review."""

_NAME_LIMIT = 160
_TEXT_LIMIT = 400
_SEVERITIES = {
    "high": Severity.HIGH,
    "medium": Severity.MEDIUM,
    "error": Severity.MEDIUM,
    "warning": Severity.MEDIUM,
}
_CONFIDENCES = {"high": 0.9, "medium": 0.7, "low": 0.4, "error": 0.8, "warning": 0.6, "info": 0.5, "style": 0.3}
_NOT_SHOWN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def findings_for(role: str, report: Report) -> tuple[tuple[Finding, ...], tuple[Dropped, ...]]:
    """Every result of the report as a finding of `role`, or as dropped with the reason; none is lost.

    Findings keep the report's order. Two tools that saw the same give two findings with equal topics.

    Raises:
        UnknownRole: there are no words for this role.
    """
    words = words_by_role().get(role)
    if words is None:
        raise UnknownRole(f"no analyzer speaks for the role {role!r}; there are {', '.join(ROLES)}")
    findings: list[Finding] = []
    dropped: list[Dropped] = []
    for result in report.results:
        chosen = _closest(words, result)
        if chosen is None or chosen.drop:
            dropped.append(_dropped(role, result, chosen))
        else:
            findings.append(_finding(role, result, chosen))
    return tuple(findings), tuple(dropped)


def _closest(words: Iterable[Words], result: Result) -> Words | None:
    best = max(words, key=lambda entry: entry.closeness(result), default=None)
    return best if best is not None and best.closeness(result) else None


def _finding(role: str, result: Result, words: Words) -> Finding:
    values = _values(result)
    return Finding(
        roles=(role,),
        path=result.path,
        start_line=result.start_line,
        end_line=result.end_line,
        severity=_severity(words, result),
        confidence=_confidence(words, result),
        topic=words.topic,
        title=_cut(words.title.format_map(values), 200),
        why=words.why.format_map(values),
        scenario=words.scenario.format_map(values),
        suggestion=result.suggestion,
        evidence=(_evidence(result),),
        excerpt=result.excerpt,
    )


def _dropped(role: str, result: Result, words: Words | None) -> Dropped:
    reason = words.drop if words else f"No words say how {result.tool} {result.rule} fails, and a finding needs a failure scenario."
    message = _clean(result.message, _TEXT_LIMIT) or result.rule
    return Dropped(
        roles=(role,),
        path=result.path,
        start_line=result.start_line,
        end_line=result.end_line,
        severity=Severity.LOW,
        confidence=0.1,
        topic=_cut(f"{result.tool}.{result.rule}".lower().replace("_", "-"), 64),
        title=_cut(message, 200),
        why=message,
        scenario="None is known.",
        evidence=(_evidence(result),),
        excerpt=result.excerpt,
        reason=reason,
    )


def _evidence(result: Result) -> Evidence:
    return Evidence(tool=result.tool, rule=result.rule, message=_clean(result.message, 1000))


def _severity(words: Words, result: Result) -> Severity:
    if words.severity != "tool":
        return words.severity
    return _SEVERITIES.get(result.extra.severity or result.extra.level, Severity.LOW)


def _confidence(words: Words, result: Result) -> float:
    if words.confidence is not None:
        return words.confidence
    return _CONFIDENCES.get(result.extra.confidence or result.extra.level, 0.5)


def _values(result: Result) -> dict[str, object]:
    """What templates may name; text of the repository is cleaned and cut, and cannot end a code span."""
    extra = result.extra
    function = _name(extra.function)
    return {
        "rule": result.rule,
        "message": _clean(result.message, _TEXT_LIMIT).rstrip("."),
        "name": _clean(extra.name, _TEXT_LIMIT).replace("`", "'"),
        "function": function,
        "where": f" in `{function}`" if function else "",
        "importer": _name(extra.importer),
        "imported": _name(extra.imported),
        "feature": _name(extra.feature),
        "before": extra.before,
        "after": extra.after,
        "commits": extra.commits,
    }


def _name(text: str) -> str:
    return _clean(text, _NAME_LIMIT).replace("`", "'")


def _clean(text: str, limit: int) -> str:
    """One line without characters that have no shape, at most `limit` characters long."""
    shown = "".join(" " if unicodedata.category(char) in _NOT_SHOWN else char for char in text)
    return _cut(" ".join(shown.split()), limit)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
