"""What a comparison is asked for: models, prompts, inputs, scores and bounds, as they stand in a file."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from box_review.comparison.score_specs import SCORES, ScoreSpec

MOST_CELLS = 20_000

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Words = Annotated[str, StringConstraints(min_length=1, max_length=1_000_000)]
Path = Annotated[str, StringConstraints(min_length=1, max_length=500)]


class Part(BaseModel):
    """A part of a spec: what it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Program(Part):
    """A program of one's own that speaks `box-sse-v1`; it is started in the box."""

    command: Annotated[str, StringConstraints(min_length=1, max_length=4096)]
    args: tuple[str, ...] = Field(default=(), max_length=100)


class Agent(Part):
    """Who answers: a model, and the harness that drives it."""

    id: Id
    harness: str = Field(default="builtin", min_length=1, max_length=40)
    model: str = Field(default="", max_length=200)
    options: dict[str, JsonValue] = Field(default={}, description="Options of the harness, as `agent_options` of the box API.")
    custom_harness: Program | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.harness == "custom") != (self.custom_harness is not None):
            raise ValueError("`custom_harness` and `harness: custom` belong together")
        if self.harness != "custom" and not self.model:
            raise ValueError(f"`model` is missing: which one shall {self.harness} ask?")
        return self


class _TextOrFile(Part):
    text: Words | None = None
    file: Path | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.text is None) == (self.file is None):
            raise ValueError("give either `text` or `file`")
        return self


class Prompt(_TextOrFile):
    """What is asked; `{input}` stands for the input's text and is replaced as it is, whatever else is in braces."""

    id: Id


class Source(_TextOrFile):
    """A text that answers are checked against."""


class Input(Part):
    """One thing the models are asked about.

    Attributes:
        text, file: what `{input}` becomes; neither is an empty text.
        files: what is put into the box, by its path below the workspace there; the values are paths beside the spec.
        expected, expected_file: the right answer, for the scores that compare with one.
        sources: evidence, for the scores that look whether an answer is supported.
    """

    id: Id
    text: Annotated[str, StringConstraints(max_length=1_000_000)] | None = None
    file: Path | None = None
    files: dict[Path, Path] = Field(default={}, max_length=100)
    expected: JsonValue = None
    expected_file: Path | None = None
    sources: tuple[Source, ...] = Field(default=(), max_length=50)

    @model_validator(mode="after")
    def _no_two_of_one(self) -> Self:
        if self.text is not None and self.file is not None:
            raise ValueError("give either `text` or `file`")
        if self.expected is not None and self.expected_file is not None:
            raise ValueError("give either `expected` or `expected_file`")
        return self


class Setup(Part):
    """What the box is made of from which every answer starts."""

    files: dict[Path, Path] = Field(default={}, max_length=1000)
    commands: tuple[Words, ...] = Field(default=(), max_length=100)
    timeout_s: float = Field(default=600, gt=0, le=7200)


class JudgeApi(Part):
    """A server with chat completions that the scores `by: judge` ask through autoevals.

    Attributes:
        api_key_env: the variable that holds the key; a spec holds none. Empty for a server that wants no key.
    """

    base_url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$", max_length=500)]
    model: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    api_key_env: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$|^$", max_length=100)] = ""
    timeout_s: float = Field(default=60, gt=0, le=600)


def _known_score(given: Any) -> Any:
    """A score is a name, or a name with its options: `{claim_f1: {key: endpoints}}`."""
    if isinstance(given, Mapping) and len(given) == 1:
        [(name, options)] = given.items()
        given = {**options, "name": name} if isinstance(options, Mapping) else {"name": name, "options": options}
    elif isinstance(given, str):
        given = {"name": given}
    elif not isinstance(given, ScoreSpec):
        raise ValueError("a score is a name, or one name with its options, as `claim_f1: {key: endpoints}`")
    name = given.name if isinstance(given, ScoreSpec) else given["name"]
    if name not in SCORES:
        near = difflib.get_close_matches(str(name), SCORES, n=1)
        raise ValueError(f"there is no score {name!r}; " + (f"did you mean {near[0]}?" if near else f"there is {', '.join(SCORES)}"))
    return given if isinstance(given, ScoreSpec) else SCORES[name].model_validate(given)


def _unique(parts: tuple[Any, ...]) -> tuple[Any, ...]:
    seen: set[str] = set()
    for part in parts:
        if part.id in seen:
            raise ValueError(f"the id {part.id!r} stands twice")
        seen.add(part.id)
    return parts


Unique = AfterValidator(_unique)
AnyScore = Annotated[ScoreSpec, BeforeValidator(_known_score)]


class Spec(Part):
    """A comparison: every model answers every prompt for every input, `repeats` times. `docs/comparing.md` shows one."""

    title: str = Field(default="", max_length=200)
    models: Annotated[tuple[Agent, ...], Field(min_length=1, max_length=20), Unique]
    prompts: Annotated[tuple[Prompt, ...], Field(min_length=1, max_length=50), Unique]
    inputs: Annotated[tuple[Input, ...], Field(min_length=1, max_length=5000), Unique]
    repeats: int = Field(default=1, ge=1, le=100)
    json_schema: dict[str, JsonValue] | None = None
    setup: Setup = Setup()
    scores: Annotated[tuple[AnyScore, ...], Field(max_length=30), Unique] = ()
    judges: Annotated[tuple[Agent, ...], Field(max_length=10), Unique] = ()
    judge_api: JudgeApi | None = None
    network: Literal["allow-all", "deny-all"] = "deny-all"
    budget_usd: float | None = Field(default=None, gt=0, le=100_000)
    at_once: int = Field(default=4, ge=1, le=64)
    timeout_s: float = Field(default=300, gt=0, le=86_400)
    retries: int = Field(default=2, ge=0, le=10)
    seed: int = Field(default=0, ge=0, le=2**32 - 1)

    @property
    def cells(self) -> int:
        """How many answers are asked for."""
        return len(self.models) * len(self.prompts) * len(self.inputs) * self.repeats

    @model_validator(mode="after")
    def _can_be_done(self) -> Self:
        if self.cells > MOST_CELLS:
            raise ValueError(f"{self.cells} answers are asked for; {MOST_CELLS} are allowed")
        for score in self.scores:
            if score.id == "answered":
                raise ValueError("scores: answered is what every comparison has; give yours another title")
            if score.needs_panel and not self.judges:
                raise ValueError(f"scores: {score.id} needs `judges`, the agents that vote")
            if score.needs_api and self.judge_api is None:
                raise ValueError(f"scores: {score.id} `by: judge` needs `judge_api`, the server that is asked")
            if score.needs_expected and not any(one.expected is not None or one.expected_file for one in self.inputs):
                raise ValueError(f"scores: {score.id} needs inputs with `expected`, and none has it")
            if score.needs_sources and not any(one.sources for one in self.inputs):
                raise ValueError(f"scores: {score.id} needs inputs with `sources`, and none has them")
        return self
