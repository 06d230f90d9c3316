"""The collector's report, as strictly bounded models: it comes out of a box and is not trusted."""

from __future__ import annotations

from typing import Annotated, Literal

from box_review.finding import Excerpt, Path
from box_review.review import ChangedFile
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from runner.evidence.errors import BrokenReport, CollectionFailed

MAX_BYTES = 32_000_000
Sentence = Annotated[str, StringConstraints(max_length=1000)]
Line = Annotated[int, Field(ge=1, le=100_000_000)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Extra(_Part):
    """What a tool says beyond its message, where it does; empty where it does not."""

    name: str = Field(default="", max_length=500)
    function: str = Field(default="", max_length=200)
    importer: str = Field(default="", max_length=500)
    imported: str = Field(default="", max_length=500)
    feature: str = Field(default="", max_length=500)
    severity: str = Field(default="", max_length=20)
    confidence: str = Field(default="", max_length=20)
    level: str = Field(default="", max_length=20)
    before: int = 0
    after: int = 0
    commits: int = 0


class Result(_Part):
    """One result of one analyzer, new at head."""

    tool: str = Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")
    rule: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    path: Path
    start_line: Line
    end_line: Line
    message: Sentence = ""
    extra: Extra = Extra()
    suggestion: str | None = Field(default=None, max_length=8000)
    excerpt: Excerpt | None = None

    @model_validator(mode="after")
    def _lines_in_order(self) -> Result:
        if self.end_line < self.start_line:
            raise ValueError("end_line lies before start_line")
        return self


class ToolReport(_Part):
    """How one analyzer fared; `seconds` is its wall time."""

    tool: str = Field(max_length=32)
    version: str = Field(default="", max_length=64)
    status: Literal["ok", "missing", "failed", "timed_out"]
    seconds: float = Field(default=0.0, ge=0)
    detail: str = Field(default="", max_length=1000)


class Report(_Part):
    """All that one run of the collector says."""

    version: Literal[1]
    changed_files: tuple[ChangedFile, ...] = Field(max_length=20_000)
    results: tuple[Result, ...] = Field(max_length=30_000)
    tools: tuple[ToolReport, ...] = Field(max_length=50)
    not_covered: tuple[Sentence, ...] = Field(default=(), max_length=100)


def parse_report(stdout: bytes, exit_code: int = 0, stderr: bytes = b"") -> Report:
    """Read what the collector printed.

    Args:
        stdout: everything it wrote, at most `MAX_BYTES` bytes.
        exit_code: how it ended.
        stderr: its error output; the last line goes into the error.

    Raises:
        CollectionFailed: it ended with an error.
        BrokenReport: its output is not a report.
    """
    if exit_code != 0:
        lines = stderr.decode("utf-8", "backslashreplace").strip().splitlines()
        raise CollectionFailed(f"evidence could not be collected (exit code {exit_code}): {lines[-1][:500] if lines else 'no message'}")
    if len(stdout) > MAX_BYTES:
        raise BrokenReport(f"the report has {len(stdout)} bytes, more than {MAX_BYTES}")
    try:
        return Report.model_validate_json(stdout)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BrokenReport(f"the report is broken at {where or 'its start'}: {first['msg']}") from error
