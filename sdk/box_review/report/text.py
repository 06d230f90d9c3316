"""The review as a developer reads it in a terminal, worst first."""

from __future__ import annotations

import io
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from box_review.finding import Finding, ProofState, Severity
from box_review.report import wording
from box_review.report.code import changes, context
from box_review.review import BoxReport, Conclusion, ReviewRecord
from box_review.sanitize import for_terminal

DROPPED_SHOWN = 5
NARROWEST = 40

STYLES = {Severity.CRITICAL: "bold white on red", Severity.HIGH: "bold red", Severity.MEDIUM: "yellow", Severity.LOW: "cyan"}
CONCLUSION_STYLES = {Conclusion.SUCCESS: "bold green", Conclusion.FAILURE: "bold red"}


def render(record: ReviewRecord, *, color: bool = False, width: int = 100) -> str:
    """The record as lines of at most `width` columns; without `color` nothing but text and line ends."""
    written = io.StringIO()
    console = Console(
        file=written,
        width=max(width, NARROWEST),
        height=25,
        color_system="standard" if color else None,
        force_terminal=color,
        no_color=not color,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
        _environ={},
    )
    for section in _sections(record):
        console.print(section)
    return "".join(line.rstrip() + "\n" for line in written.getvalue().splitlines())


def _sections(record: ReviewRecord) -> Iterator[RenderableType]:
    yield _head(record)
    for finding in wording.shown(record):
        yield Text()
        yield _finding(finding)
    folded = wording.folded(record)
    if folded:
        yield _section(f"{wording.plural(len(folded), 'more finding')}, folded", [_one_line(finding) for finding in folded])
    yield from _boxes(record)
    if record.dropped:
        yield _section(f"Dropped: {wording.plural(len(record.dropped), 'finding')}", list(_dropped(record)))
    gaps = wording.not_covered(record)
    if gaps:
        yield _section("Not covered", [_item(gap) for gap in gaps])
    yield Text()
    if learned := wording.learned(record):
        yield Text(for_terminal(learned), style="dim")
    yield Text(for_terminal(wording.last_line(record)), style="dim")


def _head(record: ReviewRecord) -> RenderableType:
    style = CONCLUSION_STYLES.get(record.conclusion, "bold yellow")
    sign = wording.SIGNS[record.conclusion]
    first = Text.assemble((f"{sign} {wording.verdict(record)}", style), f" · {wording.counts(record)}")
    roles = ", ".join(role.role for role in record.roles) or "no reviewer"
    first.append(f" · {roles} · {wording.seconds(record.duration_s)}")
    lines: list[RenderableType] = [first]
    lines += [Text(f"! {for_terminal(who)}: {for_terminal(why)}", style="bold red") for who, why in wording.troubles(record)]
    lines.append(
        Text(f"{for_terminal(record.repository)} {record.base_sha[:10]}..{record.head_sha[:10]} {for_terminal(record.title)}", style="dim")
    )
    if wording.static_only(record):
        lines.append(Text(wording.STATIC_ONLY, style="dim"))
    if record.summary:
        lines += [Text(), Text(for_terminal(record.summary, multiline=True))]
    return Group(*lines)


def _finding(finding: Finding) -> RenderableType:
    head = Text.assemble(
        (finding.severity.upper(), STYLES[finding.severity]), "  ", (for_terminal(wording.place(finding)), "bold"), overflow="fold"
    )
    body: list[RenderableType] = [
        Text(for_terminal(finding.title), style="bold"),
        Text(
            f"{finding.topic} · {', '.join(finding.roles)} · confidence {finding.confidence:.0%} · {for_terminal(finding.id)}", style="dim"
        ),
        Text(),
        Text(for_terminal(finding.why, multiline=True)),
        Text(),
        _labelled("How it fails", finding.scenario),
    ]
    code = _code(finding)
    if code:
        body += [Text(), *code]
    suggestion = _suggestion(finding)
    if suggestion:
        body += [Text(), Text("Suggestion", style="bold"), *suggestion]
    body += [Text(), *_grounds(finding)]
    return Group(head, _indented(*body))


def _grounds(finding: Finding) -> Iterator[RenderableType]:
    """What speaks for the finding: its proof and its evidence."""
    expects = f"; the script expects {finding.reproducer.expects}" if finding.reproducer else ""
    proof = _labelled("Proof", wording.proof(finding) + expects)
    if finding.proof.state is ProofState.PROVEN:
        proof.stylize("green")
    yield proof
    for seen in finding.evidence:
        yield _labelled("Evidence", f"{seen.tool} {seen.rule}" + (f": {seen.message}" if seen.message else ""))


def _code(finding: Finding) -> list[RenderableType]:
    lines = context(finding)
    digits = max((len(str(line.number)) for line in lines), default=0)
    return [
        _line(f"{'>' if line.meant else ' '} {line.number:>{digits}} │ {for_terminal(line.text)}", "bold" if line.meant else "dim")
        for line in lines
    ]


def _suggestion(finding: Finding) -> list[RenderableType]:
    styles = {"-": "red", "+": "green"}
    return [_line(f"{change.sign} {for_terminal(change.text)}", styles[change.sign]) for change in changes(finding)]


def _one_line(finding: Finding) -> RenderableType:
    said = f"{wording.place(finding)}  {finding.title} ({', '.join(finding.roles)})"
    return Text.assemble((f"{finding.severity:<8}", STYLES[finding.severity]), "  ", for_terminal(said), overflow="fold")


def _dropped(record: ReviewRecord) -> Iterator[RenderableType]:
    for reason, findings in wording.dropped_by_reason(record):
        yield _item(f"{len(findings)}: {reason}")
        yield from (_indented(_one_line(finding)) for finding in findings[:DROPPED_SHOWN])
        if len(findings) > DROPPED_SHOWN:
            yield _indented(Text(f"and {len(findings) - DROPPED_SHOWN} more", style="dim"))


def _boxes(record: ReviewRecord) -> Iterator[RenderableType]:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("lane", "status", "box", "driver", "frozen", "time"):
        table.add_column(name, overflow="fold", no_wrap=name in ("lane", "status", "time"))
    for role in record.roles:
        _row(table, role.role, role.status, role.box_id, role.driver, role.box, role.duration_s)
    if record.jury is not None:
        _row(table, "jury", record.jury.status, "", "", record.jury.box, record.jury.duration_s)
    yield _section("Boxes", [table, *(_labelled(label, words) for label, words in _holds(record))])


def _row(table: Table, lane: str, status: str, box_id: str, driver: str, box: BoxReport | None, duration_s: float) -> None:
    freeze = "-" if box is None else box.freeze or box.state
    cells = (
        lane,
        wording.plain(status),
        box_id or (box.box_id if box else "-"),
        driver or (box.driver if box else "-"),
        freeze,
        wording.seconds(duration_s),
    )
    table.add_row(*(Text(for_terminal(cell)) for cell in cells))


def _holds(record: ReviewRecord) -> list[tuple[str, str]]:
    """What isolates and limits the boxes, each sentence once."""
    reports = [box for _, box in wording.boxes(record)]
    isolation = dict.fromkeys(("Isolation", f"{box.driver}: {box.isolation}") for box in reports if box.isolation)
    limits = dict.fromkeys(("Limits", ", ".join(box.limits)) for box in reports if box.limits)
    return [*isolation, *limits]


def _section(title: str, lines: list[RenderableType]) -> RenderableType:
    return Group(Text(), Text(title, style="bold"), _indented(*lines))


def _item(words: str) -> Text:
    return Text(f"- {for_terminal(words)}", overflow="fold")


def _labelled(label: str, words: str) -> Text:
    return Text.assemble((f"{label}: ", "bold"), for_terminal(words, multiline=True), overflow="fold")


def _line(words: str, style: str) -> Text:
    return Text(words, style=style, no_wrap=True, overflow="ellipsis")


def _indented(*lines: RenderableType) -> RenderableType:
    return Padding(Group(*lines), (0, 0, 0, 2), expand=False)
