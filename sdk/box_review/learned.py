"""What a reviewer has learned of a repository: rules that maintainers read, edit and close. `docs/learning.md` says how they come about.

A rule without a mute is guidance: agents are told it as something that was said. A rule with a mute takes findings out of a review
that it fits, never one that was proven, is critical, or is a secret. `.github/box-review-learned.yml` is the form of theirs that lasts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, model_validator

from box_review.finding import ContractModel, PathPattern, Role
from box_review.sanitize import visible

MOST_RULES, MOST_TEXT, MOST_SOURCE = 100, 300, 300
_TOOL, _RULE = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", r"^[!-~]{1,128}$"
_WORD, _MOST_WORDS = re.compile(r"[^\W\d_]{3,}"), 12


def _one_line(text: str) -> str:
    """What is told in one line must be one, and show all that it says."""
    plain = " ".join(visible(text).split())
    if not plain:
        raise ValueError("a text needs words")
    return plain


RuleId = Annotated[str, StringConstraints(pattern=r"^l-[a-z0-9]{1,16}$")]
Line = Annotated[str, StringConstraints(max_length=MOST_TEXT), AfterValidator(_one_line)]


class RuleState(StrEnum):
    """Whether a rule counts: `candidate` waits for a maintainer, `closed` is kept to be read."""

    ACTIVE = "active"
    CANDIDATE = "candidate"
    CLOSED = "closed"


class Mute(ContractModel):
    """Which findings are not told: all that is given must fit.

    Args:
        tool, rule: of the analyzer; all evidence of a finding must be of it. Without `rule`, whatever the tool says.
        role: what agents of this role alone claim, or what analyzers found for it.
        title: words of the title, small and in order of the alphabet; all must stand in it. With `role`.
        path: files, as `src/gen/**`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tool: Annotated[str, StringConstraints(pattern=_TOOL)] | None = None
    rule: Annotated[str, StringConstraints(pattern=_RULE)] | None = None
    role: Role | None = None
    title: Annotated[str, StringConstraints(min_length=3, max_length=200)] | None = None
    path: PathPattern | None = None

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if self.rule is not None and self.tool is None:
            raise ValueError("a rule needs the tool that it is of, as {tool: ruff, rule: E501}")
        if self.tool is None and (self.role is None or (self.title is None and self.path is None)):
            raise ValueError("a mute names a tool, or a role with words of the title or a path")
        if self.title is not None and (self.tool is not None or not title_words(self.title)):
            raise ValueError("a title is words of three letters and more of what an agent claims; analyzers have rules")
        return self

    @property
    def what(self) -> str:
        """In words: `ruff/E501 in src/gen/**`."""
        subject = f"{self.tool}/{self.rule or '*'}" if self.tool else f"{self.role}: {self.title or '*'}"
        for_role = f" of {self.role}" if self.tool and self.role else ""
        return subject + for_role + (f" in {self.path}" if self.path else "")


class LearnedRule(ContractModel):
    """One thing learned.

    Args:
        text: in words, a line; guidance if there is no `mute`, else why.
        source: who said it and where, or what it was counted from.
        since: the day from which it is so.
        closed: by whom and where, if it is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: RuleId
    text: Line
    mute: Mute | None = None
    source: Line = Field(default="by hand", max_length=MOST_SOURCE)
    since: date | None = None
    state: RuleState = RuleState.ACTIVE
    closed: str = Field(default="", max_length=MOST_SOURCE)


class LearnedUse(ContractModel):
    """A rule that a review was given, and how many of its findings it muted; guidance mutes none."""

    id: RuleId
    text: str = Field(max_length=MOST_TEXT)
    source: str = Field(default="", max_length=MOST_SOURCE)
    guidance: bool = False
    muted: int = Field(default=0, ge=0)


def title_words(title: str) -> str:
    """A title as titles are compared: its words of three letters and more, each once, small, in order of the alphabet."""
    words = dict.fromkeys(word.casefold() for word in _WORD.findall(title))
    return " ".join(sorted(list(words)[:_MOST_WORDS]))[:200].strip()


def together(file: Sequence[LearnedRule], remembered: Sequence[LearnedRule]) -> tuple[LearnedRule, ...]:
    """All rules; one in the file stands above what is remembered by its id."""
    known = {rule.id for rule in file}
    return (*file, *(rule for rule in remembered if rule.id not in known))


def in_force(rules: Iterable[LearnedRule]) -> tuple[LearnedRule, ...]:
    """Those that a review is given, as many as there may be."""
    return tuple(rule for rule in rules if rule.state is RuleState.ACTIVE)[:MOST_RULES]
