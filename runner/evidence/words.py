"""The words for results, as `prompts/static/*.toml` has them: strict models, read once."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources
from typing import Annotated, Literal, Self

from box_review.finding import Role, Severity
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from runner.evidence.report import Result

Pattern = Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]*\*?|\*)$")]


class Words(BaseModel):
    """What to say about some rules of a tool, or (`drop`) why to say nothing.

    Severity and confidence may be left to the tool: `severity` is then `tool`, `confidence` None.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tool: str
    rules: tuple[Pattern, ...] = Field(min_length=1)
    message_has: re.Pattern[str] | None = None
    line_has: re.Pattern[str] | None = None
    path_has: re.Pattern[str] | None = None
    topic: str = Field(default="", pattern=r"^([a-z0-9][a-z0-9.-]*)?$", max_length=64)
    severity: Severity | Literal["tool"] = "tool"
    confidence: float | None = Field(default=None, ge=0, le=1)
    title: str = ""
    why: str = ""
    scenario: str = ""
    drop: str = ""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        spoken = (self.topic, self.title, self.why, self.scenario)
        if any(spoken) if self.drop else not all(spoken):
            raise ValueError(f"the words for {self.tool} {', '.join(self.rules)} need topic, title, why and scenario, or only drop")
        return self

    def closeness(self, result: Result) -> int:
        """How closely these words fit: 0 not at all, else more for a longer pattern and most for the rule itself."""
        if self.tool != result.tool or not self._conditions_hold(result):
            return 0
        return max(_closeness(pattern, result.rule) for pattern in self.rules)

    def _conditions_hold(self, result: Result) -> bool:
        if self.message_has is not None and not self.message_has.search(result.message):
            return False
        if self.path_has is not None and not self.path_has.search(result.path):
            return False
        return self.line_has is None or any(self.line_has.search(line) for line in own_lines(result))


class _WordsFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    roles: tuple[Role, ...] = Field(min_length=1)
    words: tuple[Words, ...] = Field(min_length=1)


@cache
def words_by_role() -> dict[str, tuple[Words, ...]]:
    """All words there are, by the role they are for, in the order of the files.

    Raises:
        ValueError: a file of `prompts/static` is wrong (a mistake in the program, not in a repository).
    """
    found: dict[str, tuple[Words, ...]] = {}
    folder = resources.files("prompts") / "static"
    for source in sorted((entry for entry in folder.iterdir() if entry.name.endswith(".toml")), key=lambda entry: entry.name):
        parsed = _WordsFile.model_validate(tomllib.loads(source.read_text(encoding="utf-8")))
        for role in parsed.roles:
            found[role] = found.get(role, ()) + parsed.words
    return found


def own_lines(result: Result) -> tuple[str, ...]:
    """The lines of the result itself, without those around them; empty where there is no excerpt."""
    if result.excerpt is None:
        return ()
    first = result.start_line - result.excerpt.start_line
    return result.excerpt.lines[max(0, first) : max(0, first) + result.end_line - result.start_line + 1]


def _closeness(pattern: str, rule: str) -> int:
    if pattern.endswith("*"):
        return len(pattern) if rule.startswith(pattern[:-1]) else 0
    return 1000 if pattern == rule else 0
