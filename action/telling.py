"""How a review is told to a workflow: outputs, annotations, the step's summary, files.

Findings are words of agents that read hostile code. On the runner's standard output a line can be a command, so what they say passes
through `visible` and the escapes of the command language.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from box_review import Finding, ReviewRecord, Severity, exit_codes
from box_review.report import render, wording
from box_review.sanitize import for_markdown, visible

from action.waiting import Check

ANNOTATIONS_SHOWN = 10
"""Of each level and step; GitHub drops more without a word."""
SUMMARY_BYTES = 1_000_000
_LEVELS = {Severity.CRITICAL: "error", Severity.HIGH: "error", Severity.MEDIUM: "warning", Severity.LOW: "notice"}
_FILES = {
    "sarif-file": ("sarif", "box-review.sarif"),
    "report-file": ("html", "box-review.html"),
    "record-file": ("json", "box-review.json"),
}


@dataclass(frozen=True)
class Told:
    """All that a workflow is told: commands, outputs by name, the step's summary, and how the step ends."""

    marks: tuple[str, ...]
    outputs: Mapping[str, str]
    summary: str
    code: int


def marks(record: ReviewRecord) -> Iterator[str]:
    """Workflow commands that mark lines of the change, worst first; folded findings stand in the summary alone."""
    room = dict.fromkeys(_LEVELS.values(), ANNOTATIONS_SHOWN)
    for finding in record.findings:
        level = _LEVELS[finding.severity]
        if not finding.folded and room[level]:
            room[level] -= 1
            yield _annotation(level, finding)


def write_files(record: ReviewRecord, folder: Path) -> dict[str, Path]:
    """The review as files, by the name of the output that has their place."""
    made = {}
    for output, (form, name) in _FILES.items():
        made[output] = folder / name
        made[output].write_text(render(record, form), encoding="utf-8")
    return made


def outputs(values: Mapping[str, str]) -> str:
    """What later steps can read, as lines for GITHUB_OUTPUT."""
    return "".join(f"{name}={visible(value)}\n" for name, value in values.items())


def of_review(record: ReviewRecord, files: Mapping[str, Path], url: str, fail_on: Severity | None) -> Told:
    """A review that was made for this step."""
    values = {
        "review-id": record.review_id,
        "review-url": url,
        "conclusion": record.conclusion.value,
        "status": record.status.value,
        "findings": str(len(record.findings)),
        **{name: str(file) for name, file in files.items()},
    }
    return Told(tuple(marks(record)), values, summary(record), exit_codes.of_review(record, fail_on))


def of_check(check: Check, fail_on: Severity | None) -> Told:
    """A review that the App made, whose marks and words GitHub shows already."""
    code = check.exit_code(fail_on)
    level = "notice" if code == exit_codes.OK else "error"
    said = f"{check.conclusion}: {check.title}"
    values = {
        "review-id": check.review_id,
        "review-url": check.url,
        "conclusion": check.conclusion,
        "status": check.status.value,
        "findings": "" if check.findings is None else str(check.findings),
    }
    link = f"[The App's review]({check.url})\n\n" if check.url else ""
    text = f"### {for_markdown(said)}\n\n{link}{visible(check.summary, multiline=True)}\n"
    mark = command(level, visible(f"{said} {check.url}".strip()), title="box-review: the App's review")
    return Told((mark,), values, text, code)


def summary(record: ReviewRecord) -> str:
    """The review as Markdown, in the size that a step may have."""
    text = render(record, "markdown")
    if len(text.encode()) <= SUMMARY_BYTES:
        return text
    cut = text.encode()[:SUMMARY_BYTES].decode("utf-8", "ignore").rpartition("\n\n")[0]
    return f"{cut}\n\nThe review is longer than a summary may be; the report file has all of it.\n"


def command(level: str, message: str, **places: str | int) -> str:
    """One workflow command."""
    said = ",".join(f"{name}={_escaped(str(value)).replace(':', '%3A').replace(',', '%2C')}" for name, value in places.items())
    return f"::{level}{' ' if said else ''}{said}::{_escaped(message)}"


def _annotation(level: str, finding: Finding) -> str:
    title, message = wording.mark(finding)
    return command(level, message, file=visible(finding.path), line=finding.start_line, endLine=finding.end_line, title=title)


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
