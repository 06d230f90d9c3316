"""A spec with its files read: everything that decides what is asked, and what answers are held against."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from box_review.comparison.spec import Agent, Spec

KEY_VERSION = 1


@dataclass(frozen=True)
class SourceText:
    """Evidence; `name` is its file, or where it stands in the spec."""

    name: str
    text: str


@dataclass(frozen=True)
class Case:
    """A prompt for one input: what all models are asked alike.

    Attributes:
        prompt: with the input in its place.
        files: by their path in the box, below the workspace.
        expected: the right answer as JSON value; None where the input has none.
    """

    prompt_id: str
    input_id: str
    prompt: str
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    expected: Any = None
    sources: tuple[SourceText, ...] = field(default=(), repr=False)

    @property
    def id(self) -> str:
        """`PROMPT/INPUT`."""
        return f"{self.prompt_id}/{self.input_id}"


@dataclass(frozen=True)
class Ask:
    """One run of an agent in a box of its own: a cell of the comparison, or a vote of a judge.

    Attributes:
        twin: counts questions that are alike in all else, as those of one model under two ids: each gets an answer of its own.
    """

    agent: Agent
    prompt: str
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    json_schema: Mapping[str, Any] | None = None
    repeat: int = 0
    what: str = "answer"
    twin: int = 0

    def key(self, digest: str) -> str:
        """The same for the same question under the same circumstances, and for nothing else; `digest` is the base box's."""
        parts = {
            "version": KEY_VERSION,
            "agent": self.agent.model_dump(exclude={"id"}),
            "prompt": self.prompt,
            "files": {path: hashlib.sha256(data).hexdigest() for path, data in self.files.items()},
            "json_schema": self.json_schema,
            "digest": digest,
            "repeat": self.repeat,
            "what": self.what,
            "twin": self.twin,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Cell:
    """One model's answer to one case, for the so-manieth time."""

    model: Agent
    case: Case
    repeat: int

    @property
    def id(self) -> str:
        """`MODEL/PROMPT/INPUT`, with `#2` from the second time on."""
        return f"{self.model.id}/{self.case.id}" + (f"#{self.repeat + 1}" if self.repeat else "")


@dataclass(frozen=True)
class Plan:
    """All that a comparison needs.

    Attributes:
        folder: of the spec.
        setup_files: by their path in the base box.
    """

    spec: Spec
    folder: Path
    cases: tuple[Case, ...]
    setup_files: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def cells(self) -> Iterator[Cell]:
        """All cells, models in turn, so that a run that ends early has some of each."""
        for repeat in range(self.spec.repeats):
            for case in self.cases:
                for model in self.spec.models:
                    yield Cell(model, case, repeat)

    def ask(self, cell: Cell) -> Ask:
        """What is asked for a cell."""
        return Ask(cell.model, cell.case.prompt, cell.case.files, self.spec.json_schema, cell.repeat)
