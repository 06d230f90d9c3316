"""`.github/box-review-learned.yml`: the rules of a repository in the form that lasts, which maintainers read and edit.

Only what stands on the default branch counts: who proposes a change, and chooses where it goes, does not decide how it is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Self

import yaml
from pydantic import ConfigDict, Field, model_validator

from box_review.config import read_as
from box_review.finding import ContractModel
from box_review.learned import MOST_RULES, LearnedRule, Mute

FILE = ".github/box-review-learned.yml"
_HEAD = """\
# What box-review has learned of this repository. Edit it as you like; only what stands on the default branch counts.
# `state: closed` ends a rule. One with a `mute` takes findings out of reviews: never proven or critical ones, never secrets.
"""


class LearnedFile(ContractModel):
    """What stands in the file. Its rules stand above those of the same id that a server remembers."""

    model_config = ConfigDict(frozen=True, extra="forbid", title=FILE)

    rules: tuple[LearnedRule, ...] = Field(default=(), max_length=MOST_RULES)

    @model_validator(mode="after")
    def _different(self) -> Self:
        idents = [rule.id for rule in self.rules]
        if twice := next((ident for ident in idents if idents.count(ident) > 1), None):
            raise ValueError(f"the id {twice!r} stands there twice")
        return self


def read_learned(text: bytes, name: str = FILE) -> tuple[LearnedRule, ...]:
    """The rules in a file; none in an empty one. Raises ConfigInvalid, with every problem and its line."""
    return read_as(text, name, LearnedFile, _known_keys).rules


def render_learned(rules: Iterable[LearnedRule]) -> str:
    """The file that holds these rules: `read_learned` reads the same from it."""
    listed = [rule.model_dump(mode="json", exclude_none=True, exclude_defaults=True) for rule in rules]
    return _HEAD + (yaml.safe_dump({"rules": listed}, sort_keys=False, allow_unicode=True, width=140) if listed else "rules: []\n")


def _known_keys(place: Sequence[str]) -> Iterable[str]:
    return (Mute if "mute" in place[:-1] else LearnedRule if len(place) > 1 else LearnedFile).model_fields
