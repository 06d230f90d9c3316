"""What became of the findings of a change in two reviews of it."""

from __future__ import annotations

from collections.abc import Iterator

from box_review.finding import ContractModel, Dropped, Finding
from box_review.review import ReviewRecord

ABSENT = "not there"


class Difference(ContractModel):
    """One finding that two reviews hold for different things; `before` and `after` say what, e.g. `high, proven`."""

    finding: str
    path: str
    line: int
    title: str
    before: str
    after: str


def differences(before: ReviewRecord, after: ReviewRecord) -> tuple[Difference, ...]:
    """What the second review says otherwise of findings, in the order in which the first lists them.

    Compared are severity, proof, place among the folded, and the reason of what was dropped; not words and times.
    """
    was, now = _by_name(before), _by_name(after)
    return tuple(
        Difference(
            finding=name, path=one.path, line=one.start_line, title=one.title, before=_state(was.get(name)), after=_state(now.get(name))
        )
        for name, (one, *_) in (was | {name: same for name, same in now.items() if name not in was}).items()
        if _state(was.get(name)) != _state(now.get(name))
    )


def _by_name(record: ReviewRecord) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for finding in (*record.findings, *record.dropped):
        found.setdefault(finding.id or f"{finding.path}:{finding.start_line} {finding.topic}", []).append(finding)
    return found


def _state(same: list[Finding] | None) -> str:
    return " and ".join(sorted(", ".join(_words(finding)) for finding in same)) if same else ABSENT


def _words(finding: Finding) -> Iterator[str]:
    if isinstance(finding, Dropped):
        yield f"dropped ({finding.reason})"
        return
    yield finding.severity.value
    yield finding.proof.state.value.replace("_", " ")
    if finding.folded:
        yield "folded"
