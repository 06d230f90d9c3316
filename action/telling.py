"""How a review is told to a workflow: outputs, annotations, the step's summary, files.

Findings are words of agents that read hostile code. On the runner's standard output a line can be a command, so what they say passes
through `visible` and the escapes of the command language.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from box_review import Finding, ReviewRecord, Severity
from box_review.report import render
from box_review.sanitize import visible

ANNOTATIONS_SHOWN = 10
"""Of each level and step; GitHub drops more without a word."""
SUMMARY_BYTES = 1_000_000
_LEVELS = {Severity.CRITICAL: "error", Severity.HIGH: "error", Severity.MEDIUM: "warning", Severity.LOW: "notice"}
_FILES = {
    "sarif-file": ("sarif", "box-review.sarif"),
    "report-file": ("html", "box-review.html"),
    "record-file": ("json", "box-review.json"),
}


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


def outputs(record: ReviewRecord, files: Mapping[str, Path]) -> str:
    """What later steps can read, as lines for GITHUB_OUTPUT."""
    values = {
        "review-id": record.review_id,
        "conclusion": record.conclusion.value,
        "status": record.status.value,
        "findings": str(len(record.findings)),
        **{name: str(file) for name, file in files.items()},
    }
    return "".join(f"{name}={visible(value)}\n" for name, value in values.items())


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
    proof = "Proven by running it. " if finding.proof.state.value == "proven" else ""
    message = visible(f"{proof}{finding.why} {finding.scenario}")
    title = visible(f"{finding.severity.value}: {finding.title} ({', '.join(finding.roles)})")
    return command(level, message[:4000], file=visible(finding.path), line=finding.start_line, endLine=finding.end_line, title=title)


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
