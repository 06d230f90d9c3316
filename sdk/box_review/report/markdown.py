"""The review as a comment on a pull request, short enough for GitHub to take it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from box_review.finding import Finding
from box_review.report import wording
from box_review.report.code import changes, context, replaced_lines, suggested_lines
from box_review.review import BoxReport, ReviewRecord
from box_review.sanitize import code_block, for_markdown, inline_code, visible

COMMENT_LIMIT = 65_536
"""Characters GitHub takes in one comment."""

LIST_LIMIT = 4_000
"""Characters for each of the lists; findings in full have what is left."""


def render(record: ReviewRecord, room: int = COMMENT_LIMIT) -> str:
    """The record as Markdown of at most `room` characters, in which no text of the record is live."""
    head, tail = _head(record), _tail(record)
    left = room - 2 * LIST_LIMIT - len("\n\n".join([*head, *tail]))
    full, short = _fitting(wording.shown(record), left)
    listed = [*short, *wording.folded(record)]
    more = _details(wording.plural(len(listed), "more finding"), _list(map(_one_line, listed)))
    return "\n\n".join(part for part in [*head, *full, *more, *tail] if part) + "\n"


def _head(record: ReviewRecord) -> list[str]:
    roles = ", ".join(role.role for role in record.roles) or "no reviewer"
    looked = f"{roles} · {wording.seconds(record.duration_s)} · {record.base_sha[:10]}..{record.head_sha[:10]}"
    troubles = [f"**{for_markdown(who)}**: {for_markdown(_cut(why))}" for who, why in wording.troubles(record)]
    return [
        f"### {wording.SIGNS[record.conclusion]} {wording.verdict(record)} · {wording.counts(record)}",
        _list(troubles),
        for_markdown(looked) + (f" · {wording.STATIC_ONLY}" if wording.static_only(record) else ""),
        for_markdown(_cut(record.summary, 2000), multiline=True),
    ]


def _tail(record: ReviewRecord) -> list[str]:
    gaps = wording.not_covered(record)
    return [
        *_details(f"Dropped: {wording.plural(len(record.dropped), 'finding')}", _list(_dropped(record))),
        *_details(f"Not covered: {len(gaps)}", _list(for_markdown(_cut(gap)) for gap in gaps)),
        *_details(f"Boxes: {len(wording.boxes(record))}", _boxes(record)),
        for_markdown(wording.learned(record)),
        f"<sub>{for_markdown(_cut(wording.last_line(record), 1500))}</sub>",
    ]


def _fitting(findings: Sequence[Finding], left: int) -> tuple[list[str], list[Finding]]:
    """The findings in full while they fit `left` characters, and those that do not."""
    full: list[str] = []
    for at, finding in enumerate(findings):
        written = _finding(finding)
        left -= len(written) + 2
        if left < 0:
            return full, list(findings[at:])
        full.append(written)
    return full, []


def one_finding(finding: Finding, *, suggest: bool = True) -> str:
    """What is said of a finding where its line is, without the code, which stands above it; shorter than `COMMENT_LIMIT`.

    Args:
        suggest: offer its suggestion so that one click takes it over: the comment is about just the lines it replaces.
    """
    replaced, suggested = replaced_lines(finding), suggested_lines(finding)
    parts = [
        f"**{finding.severity.capitalize()}: {for_markdown(finding.title)}**",
        f"{for_markdown(', '.join(finding.roles))} · {finding.topic} · confidence {finding.confidence:.0%} · {wording.proof(finding)}",
        for_markdown(_cut(finding.why, 4000), multiline=True),
        "**How it fails:** " + for_markdown(finding.scenario, multiline=False),
    ]
    if suggest and finding.suggestion is not None and replaced is not None and suggested != replaced:
        parts.append(code_block(suggested, "suggestion"))
    elif finding.suggestion is not None:
        parts += _details("Suggestion", code_block((change.sign + change.text for change in changes(finding)), "diff"))
    parts += _details("Proof and evidence", _grounds(finding))
    whole = "\n\n".join(parts)
    return whole if len(whole) <= COMMENT_LIMIT - 500 else "\n\n".join(parts[:4])


def _finding(finding: Finding) -> str:
    parts = [
        f"#### {finding.severity.capitalize()}: {for_markdown(finding.title)}",
        f"{inline_code(wording.place(finding))} · {for_markdown(', '.join(finding.roles))} · {finding.topic}"
        f" · confidence {finding.confidence:.0%} · {wording.proof(finding)}",
        for_markdown(finding.why, multiline=True),
        "**How it fails:** " + for_markdown(finding.scenario, multiline=False),
    ]
    lines = context(finding)
    if lines:
        parts.append(code_block(f"{'>' if line.meant else ' '} {line.number:>5} | {visible(line.text, multiline=True)}" for line in lines))
    parts += _details(
        "Suggestion", code_block((change.sign + change.text for change in changes(finding)), "diff") if changes(finding) else ""
    )
    parts += _details("Proof and evidence", _grounds(finding))
    return "\n\n".join(parts)


def _grounds(finding: Finding) -> str:
    parts = [_list(f"{inline_code(f'{seen.tool} {seen.rule}')} {for_markdown(_cut(seen.message))}" for seen in finding.evidence)]
    if finding.reproducer is not None:
        parts.append("The script expects: " + for_markdown(finding.reproducer.expects))
        parts.append(code_block(_cut(finding.reproducer.script.rstrip("\n"), 6000).split("\n")))
    if finding.proof.output:
        parts += [f"It was {wording.proof(finding)}:", code_block(_cut(finding.proof.output.rstrip("\n"), 6000).split("\n"))]
    return "\n\n".join(part for part in parts if part)


def _one_line(finding: Finding) -> str:
    where = inline_code(wording.place(finding))
    return f"**{finding.severity}** {where} {for_markdown(finding.title)} ({for_markdown(', '.join(finding.roles))})"


def _dropped(record: ReviewRecord) -> Iterable[str]:
    for reason, findings in wording.dropped_by_reason(record):
        yield from (f"{_one_line(finding)}: {for_markdown(_cut(reason))}" for finding in findings)


def _boxes(record: ReviewRecord) -> str:
    lanes = wording.boxes(record)
    if not lanes:
        return ""
    times = {role.role: role.duration_s for role in record.roles} | ({"jury": record.jury.duration_s} if record.jury else {})
    head = ["| lane | box | driver | isolation | frozen | time |", "|---|---|---|---|---|---|"]
    rows = [_row(lane, box, times[lane]) for lane, box in lanes]
    return "\n".join(head + _first(rows))


def _row(lane: str, box: BoxReport, duration_s: float) -> str:
    cells = (lane, box.box_id, box.driver, box.isolation, box.freeze or box.state, wording.seconds(duration_s))
    # A table reads `|` before it reads code, so no cell may keep one.
    return "| " + " | ".join(for_markdown(cell.replace("|", "/")) for cell in cells) + " |"


def _details(summary: str, content: str) -> list[str]:
    """`content` behind a line to click on, nothing where there is none."""
    return [f"<details><summary>{summary}</summary>\n\n{content}\n\n</details>"] if content else []


def _list(lines: Iterable[str]) -> str:
    """Lines as a list of at most `LIST_LIMIT` characters, which says how many it leaves out."""
    items = [f"- {line}" for line in lines]
    kept = _first(items)
    rest = [f"- and {len(items) - len(kept):,} more"] if len(kept) < len(items) else []
    return "\n".join(kept + rest)


def _first(lines: Sequence[str]) -> list[str]:
    """The first of `lines` that fit `LIST_LIMIT` characters together."""
    lengths = itertools.accumulate(len(line) + 1 for line in lines)
    return [line for line, length in zip(lines, lengths, strict=True) if length <= LIST_LIMIT]


def _cut(text: str, most: int = 400) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
