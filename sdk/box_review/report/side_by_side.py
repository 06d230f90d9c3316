"""Reviews of one change by several models, side by side, as a comment on the pull request."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

from box_review.finding import Finding, ProofState, Severity
from box_review.report import wording
from box_review.review import ReviewRecord
from box_review.sanitize import for_markdown, inline_code
from box_review.side_by_side import SURE, Pair, Problem, Side, cost, jury_cost, pairs, problems, used

PROBLEMS_ROOM, LIST_ROOM = 20_000, 8_000
"""Characters for the list of all problems, and for each other list."""
NONE = "-"
"""Stands where a review says nothing."""


def render(sides: Sequence[Side]) -> str:
    """The comparison as Markdown for a comment, of less than 60,000 characters, in which no text of the records is live."""
    found = problems(sides)
    parts = [
        _table(sides, found),
        _listed(_troubles(sides)),
        *_told(sides, found),
        *_folded(
            wording.plural(len(found), "problem") + ", and by whom it was found", PROBLEMS_ROOM, (_problem(sides, one) for one in found)
        ),
        *_folded("Dropped by the jury", LIST_ROOM, _dropped(sides)),
        *_folded("Not covered", LIST_ROOM, _gaps(sides)),
    ]
    return "\n\n".join(part for part in parts if part)


def _table(sides: Sequence[Side], found: Sequence[Problem]) -> str:
    rows = [("verdict", [_verdict(side) for side in sides]), ("findings", [_if(side, str(len(side.findings))) for side in sides])]
    for severity in Severity:
        rows.append((severity.value, [_if(side, str(_of(side.findings, severity))) for side in sides]))
    for state, words in _PROOFS.items():
        rows.append((words, [_if(side, str(sum(one.proof.state is state for one in side.claims))) for side in sides]))
    judged = frozenset(at for at, side in enumerate(sides) if side.judged)
    only = [[one.worst for one in found if one.found_by == {at}] for at in range(len(sides))]
    proven = [sum(one.proof.state is ProofState.PROVEN for one in own) for own in only]
    several, shared = len(judged) > 1, str(sum(one.found_by >= judged for one in found))
    rows += [
        ("found by this model only", [_if(side, str(len(own)) if several else NONE) for side, own in zip(sides, only, strict=True)]),
        ("of these proven", [_if(side, str(count) if several else NONE) for side, count in zip(sides, proven, strict=True)]),
        ("found by all", [_if(side, shared if several else NONE) for side in sides]),
        ("found by analyzers too", [_if(side, str(sum(bool(one.evidence) for one in side.findings))) for side in sides]),
        ("dropped by the jury", [_if(side, str(len(side.claims) - len(side.findings))) for side in sides]),
        ("cost", [_of_record(side, cost) for side in sides]),
        ("cost of the jury", [_of_record(side, jury_cost) for side in sides]),
        ("tokens", [_of_record(side, lambda record: wording.tokens(used(record))) for side in sides]),
        ("wall time", [_of_record(side, lambda record: wording.seconds(record.duration_s)) for side in sides]),
        ("slowest reviewer", [_if(side, _slowest(side)) for side in sides]),
        ("not covered", [_of_record(side, lambda record: str(len(wording.not_covered(record)))) for side in sides]),
    ]
    head = ["| |" + "".join(f" {_name(side)} |" for side in sides), "|---|" + "---|" * len(sides)]
    return "\n".join(head + [f"| {name} |" + "".join(f" {cell} |" for cell in cells) for name, cells in rows])


_PROOFS = {
    ProofState.PROVEN: "claims proven by running",
    ProofState.REFUTED: "claims refuted by running",
    ProofState.UNPROVEN: "claims tried, not proven",
    ProofState.NOT_ATTEMPTED: "claims not run",
}


def _name(side: Side) -> str:
    """A table reads `|` before it reads code, so no name may keep one."""
    return inline_code(side.name[:200].replace("|", "/"))


def _verdict(side: Side) -> str:
    return wording.verdict(side.record) if side.record else "no review"


def _if(side: Side, text: str) -> str:
    return text if side.judged else NONE


def _slowest(side: Side) -> str:
    return wording.seconds(max((role.duration_s for role in side.record.roles), default=0.0)) if side.record else NONE


def _of_record(side: Side, words: Callable[[ReviewRecord], str]) -> str:
    return words(side.record) if side.record else NONE


def _of(findings: Iterable[Finding], severity: Severity) -> int:
    return sum(finding.severity is severity for finding in findings)


def _told(sides: Sequence[Side], found: Sequence[Problem]) -> list[str]:
    """What the numbers say, and what they cannot."""
    compared = pairs(sides, found)
    sure = [pair for pair in compared if pair.p < SURE]
    if not compared:
        said = ["Fewer than two models came to a verdict, so there is nothing to compare."]
    elif not any(pair.only_first or pair.only_second for pair in compared):
        what = f"the same {wording.plural(len(found), 'problem')}" if found else "nothing"
        who = "All" if all(side.judged for side in sides) else "Those with a verdict"
        said = [f"{who} found {what}: this pull request tells no difference in what they find."]
    else:
        said = [_difference(sides, pair) for pair in sure]
        if len(sure) < len(compared):
            one = "These models cannot" if len(compared) == 1 else "The other pairs cannot" if sure else "No two of these models can"
            said.append(f"{one} be told apart by what they found here: the difference may be chance (McNemar's exact test, 5 %).")
    said.append("One pull request proves little, and what is not proven may be wrong; times are of reviews that shared the same hosts.")
    return [*said, *_jury(sides)]


def _difference(sides: Sequence[Side], pair: Pair) -> str:
    names = _name(sides[pair.first]), _name(sides[pair.second])
    counts = f"{wording.plural(pair.only_first, 'problem')} only by {names[0]}, {pair.only_second} only by {names[1]}"
    return f"{names[0]} and {names[1]} differ in what they found by more than chance: {counts} (p = {pair.p:.3f})."


def _jury(sides: Sequence[Side]) -> list[str]:
    """Who judged; a jury of a model that is compared judges its own claims."""
    juries = {record.jury.model or record.jury.harness for _, record in _verdicts(sides) if record.jury}
    own = juries & {side.name for side in sides}
    if not juries:
        return []
    names = ", ".join(inline_code(name[:200]) for name in sorted(juries))
    return [f"The jury of each was {names}" + (", one of those compared, so its own claims were judged by itself." if own else ".")]


def _problem(sides: Sequence[Side], one: Problem) -> str:
    who = [f"{_name(side)} ({_how(claim)})" for side, claim in zip(sides, one.claims, strict=True) if claim is not None]
    return f"{_place(one.worst)}: {', '.join(who)}"


def _how(claim: Finding) -> str:
    return f"{claim.severity.value}, {wording.proof(claim)}"


def _place(finding: Finding) -> str:
    where = inline_code(wording.place(finding)[-300:])
    return f"**{finding.severity.value}** {where} {for_markdown(finding.title)}"


def _dropped(sides: Sequence[Side]) -> list[str]:
    return [
        f"{_name(side)}: {_place(one)}: {for_markdown(one.reason[:400])}" for side, record in _verdicts(sides) for one in record.dropped
    ]


def _verdicts(sides: Sequence[Side]) -> list[tuple[Side, ReviewRecord]]:
    return [(side, side.record) for side in sides if side.judged and side.record]


def _troubles(sides: Sequence[Side]) -> list[str]:
    without = [f"{_name(side)}: {for_markdown(side.problem[:1000])}" for side in sides if side.record is None]
    return without + [line for side in sides if side.record for line in _ended_early(side, side.record)]


def _ended_early(side: Side, record: ReviewRecord) -> Iterator[str]:
    """Reviewers and jury that came to no good end, those with one reason together."""
    by_reason: dict[str, list[str]] = {}
    for who, why in wording.troubles(record):
        by_reason.setdefault(why, []).append(who)
    for why, names in by_reason.items():
        yield f"{_name(side)}: {for_markdown(', '.join(names))}: {for_markdown(why[:400])}"


def _gaps(sides: Sequence[Side]) -> list[str]:
    return [f"{_name(side)}: {for_markdown(gap[:400])}" for side, record in _verdicts(sides) for gap in wording.not_covered(record)]


def _folded(summary: str, room: int, lines: Iterable[str]) -> list[str]:
    listed = _listed(list(lines), room)
    return [f"<details><summary>{summary}</summary>\n\n{listed}\n\n</details>"] if listed else []


def _listed(lines: Sequence[str], room: int = LIST_ROOM) -> str:
    """Lines as a list in the room there is, which says how many it leaves out."""
    lengths = itertools.accumulate(len(line) + 3 for line in lines)
    kept = [f"- {line}" for line, length in zip(lines, lengths, strict=True) if length <= room]
    rest = [f"- and {len(lines) - len(kept):,} more"] if len(kept) < len(lines) else []
    return "\n".join(kept + rest)
