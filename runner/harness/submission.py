"""What a reviewing agent hands over: checked for shape and size, then made into findings. All of it is a claim."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from box_review import Finding, Reproducer, Severity
from box_review.sanitize import visible
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from runner.harness.agent import whole
from runner.harness.output import read_as, strict_object


def _cut(limit: int) -> BeforeValidator:
    """Too long is cut: a reviewer that says too much has still said it."""
    return BeforeValidator(lambda value: visible(value)[:limit] if isinstance(value, str) else value)


def _slug(value: object) -> object:
    if not isinstance(value, str):
        return value
    return "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in value.lower()).split())[:64] or "problem"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Script(_Part):
    """See `box_review.Reproducer`."""

    kind: Literal["regression", "effect"]
    script: str = Field(max_length=20_000)
    expects: Annotated[str, _cut(500)]


class Claim(_Part):
    """See `box_review.Finding`."""

    path: Annotated[str, StringConstraints(min_length=1, max_length=4096)]
    start_line: int = Field(ge=1, le=100_000_000)
    end_line: int = Field(ge=1, le=100_000_000)
    severity: Severity
    confidence: Annotated[float, BeforeValidator(lambda v: min(max(v, 0.0), 1.0) if isinstance(v, (int, float)) and v == v else v)]  # noqa: PLR0124
    topic: Annotated[str, BeforeValidator(_slug)]
    title: Annotated[str, _cut(200)]
    why: Annotated[str, _cut(4000)]
    scenario: Annotated[str, _cut(4000)]
    suggestion: Annotated[str | None, BeforeValidator(lambda value: whole(value) if isinstance(value, str) else value)] = None
    reproducer: Script | None = None

    def finding(self, role: str) -> Finding | None:
        """None without a failure scenario: that is no finding. Raises ValidationError for a shape that nobody foresaw."""
        if not self.scenario.strip() or not self.title.strip():
            return None
        script = self.reproducer
        return Finding(
            roles=(role,),
            path=self.path,
            start_line=self.start_line,
            end_line=max(self.start_line, self.end_line),
            severity=self.severity,
            confidence=self.confidence,
            topic=self.topic,
            title=self.title,
            why=self.why or self.title,
            scenario=self.scenario,
            suggestion=self.suggestion if self.suggestion is None or len(self.suggestion) <= 8000 else None,
            reproducer=None if script is None or not script.script.strip() else Reproducer(**script.model_dump()),
        )


class Checked(_Part):
    """What the agent says of an analyzer's result, by its number in the task."""

    number: int
    verdict: Literal["confirmed", "refuted"]
    reason: Annotated[str, _cut(500)]


class Submission(_Part):
    """All of it."""

    findings: tuple[Claim, ...]
    evidence: tuple[Checked, ...] = ()
    not_covered: tuple[Annotated[str, _cut(300)], ...] = ()

    def said(self, findings: Sequence[Finding]) -> tuple[Finding, ...]:
        """The analyzers' findings with what the agent says of each. It can take none of them away."""
        words = {checked.number: checked for checked in self.evidence}
        noted = []
        for number, finding in enumerate(findings, 1):
            checked = words.get(number)
            note = (
                "" if checked is None else f"The reviewer {'confirms' if checked.verdict == 'confirmed' else 'doubts'} it: {checked.reason}"
            )
            noted.append(finding.model_copy(update={"note": note}))
        return tuple(noted)


async def read_submission(output: str) -> Submission:
    """Raises DoesNotFit, in words that the agent can act upon."""
    return await read_as(output, Submission, {"findings": 50, "evidence": 500, "not_covered": 20})


_TEXT = {"type": "string"}
_LINE = {"type": "integer"}
SCHEMA: dict[str, Any] = strict_object(
    findings={
        "type": "array",
        "items": strict_object(
            path=_TEXT,
            start_line=_LINE,
            end_line=_LINE,
            severity={"type": "string", "enum": [severity.value for severity in Severity]},
            confidence={"type": "number"},
            topic=_TEXT,
            title=_TEXT,
            why=_TEXT,
            scenario=_TEXT,
            suggestion={"type": ["string", "null"]},
            reproducer={
                "anyOf": [
                    strict_object(kind={"type": "string", "enum": ["regression", "effect"]}, script=_TEXT, expects=_TEXT),
                    {"type": "null"},
                ]
            },
        ),
    },
    evidence={
        "type": "array",
        "items": strict_object(number=_LINE, verdict={"type": "string", "enum": ["confirmed", "refuted"]}, reason=_TEXT),
    },
    not_covered={"type": "array", "items": _TEXT},
)
