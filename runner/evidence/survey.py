"""The survey of a change, made in the box: what a reviewer is shown first, and the lines that a claim is about."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

from box_review import ChangedFile, Excerpt, Finding, ReviewRequest
from box_review.review import REPOSITORY
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from runner.evidence.errors import BrokenReport, CollectionFailed
from runner.evidence.request import collector_argv
from sandbox.box import Box, Command

SURVEY_S = 60.0
_MAX_BYTES = 8 << 20
_AT_ONCE = 300
_Line = Annotated[str, StringConstraints(max_length=1000)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Use(_Part):
    """A line that uses something the change touches."""

    path: str = Field(max_length=4096)
    line: int
    name: str = Field(max_length=100)
    text: _Line


class Survey(_Part):
    """What a reviewer is shown of a change; bounded, and from the box."""

    diff: str = Field(max_length=400_000)
    left_out: tuple[Annotated[str, StringConstraints(max_length=4096)], ...] = Field(default=(), max_length=500)
    callers: tuple[Use, ...] = Field(default=(), max_length=200)
    changed_files: tuple[ChangedFile, ...] = Field(default=(), max_length=20_000)


T = TypeVar("T")
_survey: TypeAdapter[Survey] = TypeAdapter(Survey)
_places: TypeAdapter[list[Excerpt | None]] = TypeAdapter(list[Excerpt | None])


async def survey(box: Box, request: ReviewRequest) -> Survey:
    """Look at the change. Raises CollectionFailed, BrokenReport."""
    commits = {"base_sha": request.base_sha, "head_sha": request.head_sha}
    asked = {"ask": "survey", "repo": REPOSITORY, **commits, "deadline_s": SURVEY_S, "ignore": list(request.ignore_paths)}
    return _read(_survey, await _ask(box, asked))


async def places(box: Box, request: ReviewRequest, findings: Sequence[Finding]) -> list[Excerpt | None]:
    """The lines around each finding at head; None where there are no such lines, empty where they cannot be read.

    Raises CollectionFailed, BrokenReport.
    """
    if len(findings) > _AT_ONCE:
        return [*await places(box, request, findings[:_AT_ONCE]), *await places(box, request, findings[_AT_ONCE:])]
    if not findings:
        return []
    wanted = [[finding.path, finding.start_line, finding.end_line] for finding in findings]
    found = _read(
        _places,
        await _ask(box, {"ask": "places", "repo": REPOSITORY, "head_sha": request.head_sha, "places": wanted, "deadline_s": SURVEY_S}),
    )
    if len(found) != len(findings):
        raise BrokenReport(f"{len(findings)} places were asked for and {len(found)} came back")
    return found


async def _ask(box: Box, asked: dict[str, Any]) -> bytes:
    command = Command(collector_argv())
    result = await box.exec(command, timeout_s=SURVEY_S + 5, stdin=json.dumps(asked).encode(), max_output_bytes=_MAX_BYTES)
    if result.exit_code != 0 or result.timed_out:
        said = result.stderr.decode("utf-8", "backslashreplace").strip().splitlines()
        raise CollectionFailed(f"the change could not be surveyed: {said[-1][:300] if said else 'no reason given'}")
    return result.stdout


def _read(kind: TypeAdapter[T], data: bytes) -> T:
    try:
        return kind.validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BrokenReport(f"the survey is broken at {'.'.join(map(str, first['loc'])) or 'its start'}: {first['msg']}") from error
