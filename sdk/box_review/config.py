"""`.github/box-review.yml`: how a repository's owners want it reviewed. `docs/config.md` shows it.

It is always read from the base of a change, never from its head: who proposes a change does not decide how it is looked at.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import ConfigDict, Field, StringConstraints, ValidationError

from box_review.errors import ConfigInvalid
from box_review.finding import ContractModel, PathPattern, Role, Severity
from box_review.review import DEFAULT_ROLES, Conclusion, Reviewer
from box_review.source import Change, read_base

FILE = ".github/box-review.yml"
MOST_BYTES, DEEPEST = 65_536, 20
_BEGIN = (yaml.BlockMappingStartToken, yaml.BlockSequenceStartToken, yaml.FlowMappingStartToken, yaml.FlowSequenceStartToken)
_END = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)

M = TypeVar("M", bound=ContractModel)
Model = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class GitHubConfig(ContractModel):
    """What concerns the App alone: when it reviews, for whom, and what it does beside its comments."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    automatic: bool = Field(default=True, strict=True, description="Review what is opened and pushed; false: only when asked.")
    drafts: bool = Field(default=False, strict=True, description="Review drafts too.")
    on_label: str = Field(default="", max_length=50, description="A label that asks for a review.")
    strangers: Literal["review", "wait"] = Field(
        default="review", description="wait: first-time contributors' pull requests wait for `/box review` by somebody who may."
    )
    commands_from: Literal["write", "triage", "read"] = Field(default="write", description="Permission that `/box` commands need.")
    labels: dict[Conclusion, Annotated[str, StringConstraints(min_length=1, max_length=50)]] = Field(
        default={}, description="Labels to set, by conclusion: failure, success, neutral, …; those of other conclusions are taken away."
    )
    sarif: bool = Field(default=False, strict=True, description="Hand the findings to code scanning.")


class PathsConfig(ContractModel):
    """Which files are looked at."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ignore: tuple[PathPattern, ...] = Field(default=(), max_length=100, description="Files nobody looks at, as `dist/**` or `**/*.lock`.")


class PathInstructions(ContractModel):
    """What agents are told of some files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: PathPattern = Field(description="Which files, as `src/billing/**`.")
    instructions: str = Field(min_length=1, max_length=4000, description="What agents are told of them.")


class RepoConfig(ContractModel):
    """What stands in the file; what is left out is decided by the caller or the server. For each see `ReviewRequest`."""

    model_config = ConfigDict(frozen=True, extra="forbid", title=FILE)

    roles: tuple[Role, ...] | None = Field(default=None, min_length=1, max_length=16, description="Reviewers to run, side by side.")
    harness: str | None = Field(default=None, min_length=1, max_length=64, description="What reviews: static, builtin, claude-code, …")
    model: Model | None = Field(default=None, description="anthropic/NAME, openai/NAME, responses/NAME or NAME.")
    fallback_models: tuple[Model, ...] | None = Field(default=None, max_length=8, description="Asked when the model stays overloaded.")
    budget_usd: float | None = Field(default=None, strict=True, gt=0, le=10_000, description="What a review may cost at most.")
    timeout_minutes: float | None = Field(default=None, strict=True, gt=0, le=1440, description="Time the reviewers have.")
    reviewers: dict[Role, Reviewer] | None = Field(default=None, max_length=16, description="Reviewers that differ, by role.")
    jury: Reviewer | None = Field(default=None, description="What drives the jury.")
    instructions: str | None = Field(default=None, max_length=20_000, description="What all agents are told besides.")
    language: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z -]{1,39}$")] | None = Field(
        default=None, description="In which agents write, e.g. German."
    )
    fail_on: Severity | Literal["never"] | None = Field(default=None, description="Severity from which the conclusion is failure.")
    max_comments: int | None = Field(default=None, strict=True, ge=0, le=500, description="Findings beyond this many are listed folded.")

    paths: PathsConfig | None = Field(default=None, description="Which files are looked at.")
    path_instructions: tuple[PathInstructions, ...] | None = Field(
        default=None, max_length=50, description="What agents are told of some files."
    )
    github: GitHubConfig = Field(default=GitHubConfig(), description="What concerns the App alone.")

    def over(self, general: RepoConfig) -> RepoConfig:
        """This, and where it says nothing what is said in `general`."""
        merged: dict[str, Any] = {**_set(general), **_set(self)}
        if github := {**_set(general.github), **_set(self.github)}:
            merged["github"] = GitHubConfig(**github)
        return RepoConfig(**merged)

    def guarded_by(self, main: RepoConfig) -> RepoConfig:
        """This, and where it protects less than `main` does, as that does."""
        ours, theirs = self.github, main.github
        ranks = ("read", "triage", "write")
        guards: dict[str, Any] = {
            "automatic": ours.automatic and theirs.automatic,
            "drafts": ours.drafts and theirs.drafts,
            "strangers": "wait" if "wait" in (ours.strangers, theirs.strangers) else "review",
            "commands_from": max(ours.commands_from, theirs.commands_from, key=ranks.index),
        }
        budgets = [one for one in (self.budget_usd, main.budget_usd) if one is not None]
        update = {"github": ours.model_copy(update=guards)} | ({"budget_usd": min(budgets)} if budgets else {})
        return self.model_copy(update=update)

    def options(self) -> dict[str, Any]:
        """What it decides of a review, by the names of `box_review.client.Options`."""
        decided = {name: getattr(self, name) for name in self.model_fields_set - {"github"} if getattr(self, name) is not None}
        told = [decided.pop("instructions")] if "instructions" in decided else []
        if "language" in decided:
            told.append(f"Write what people read (titles, explanations, the summary) in {decided.pop('language')}.")
        told += [f"Of files that match `{one.path}`: {one.instructions}" for one in decided.pop("path_instructions", ())]
        if told:
            decided["instructions"] = "\n\n".join(told)[:20_000]
        if "paths" in decided:
            decided["ignore_paths"] = decided.pop("paths").ignore
        if "timeout_minutes" in decided:
            decided["timeout_s"] = 60 * decided.pop("timeout_minutes")
        if decided.get("fail_on") == "never":
            decided["fail_on"] = None
        return decided

    def under(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What is to be done where somebody has `given` some options himself: his stand above what is decided here."""
        chosen = self.options() | dict(given)
        roles = chosen.get("roles", DEFAULT_ROLES)
        # Who says what all reviewers are says it of each, and roles that are left out have none.
        blank = {name: "" for name in ("harness", "model") if name in given}
        if self.reviewers:
            chosen["reviewers"] = {role: one.model_copy(update=blank) for role, one in self.reviewers.items() if role in roles}
        if self.jury is not None:
            own = given.get("jury")
            update = blank if own is None else {"harness": own.harness, "model": own.model}
            chosen["jury"] = self.jury.model_copy(update=update)
        return chosen


def _set(part: ContractModel) -> dict[str, Any]:
    """What stands in a part of the file."""
    return {name: getattr(part, name) for name in part.model_fields_set}


def read_config(text: bytes, name: str = FILE) -> RepoConfig:
    """What a file says; an empty one says nothing.

    Raises:
        ConfigInvalid: with every problem and its line.
    """
    return read_as(text, name, RepoConfig, _known_keys)


def read_as(text: bytes, name: str, model: type[M], known_keys: Callable[[Sequence[str]], Iterable[str]]) -> M:
    """A file of keys and values as a model.

    Args:
        known_keys: what there is beside the key at a place, which nobody knows.

    Raises:
        ConfigInvalid: with every problem and its line.
    """
    if len(text) > MOST_BYTES:
        raise ConfigInvalid(name, [(1, f"the file has more than {MOST_BYTES} bytes")])
    try:
        node = _node(text.decode("utf-8-sig"), name)
        value = {} if node is None else _Loader("").construct_document(node)
    except UnicodeDecodeError as error:
        raise ConfigInvalid(name, [(text.count(b"\n", 0, error.start) + 1, "the file is no UTF-8")]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigInvalid(name, [(mark.line + 1 if mark else 1, f"this is no YAML: {error.problem or error.context}")]) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        if isinstance(error, ConfigInvalid):
            raise
        raise ConfigInvalid(name, [(1, f"this is no YAML: {str(error).splitlines()[0]}")]) from error
    if not isinstance(value, dict):
        raise ConfigInvalid(name, [(1, f"the file must hold keys and values, e.g. `{next(iter(model.model_fields))}: […]`")])
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = [(_line(node, problem["loc"]), _sentence(problem, known_keys)) for problem in error.errors(include_url=False)]
        raise ConfigInvalid(name, sorted(problems)) from error


def _known_keys(place: Sequence[str]) -> Iterable[str]:
    parts: dict[str, type[ContractModel]] = {"github": GitHubConfig, "paths": PathsConfig, "path_instructions": PathInstructions}
    return (parts.get(place[0], Reviewer) if len(place) > 1 else RepoConfig).model_fields


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # yaml comes without types
    """Plain words mean what they do in YAML 1.2: `yes` is a word, `1:59` is no number of seconds, and numbers are of bounded length."""


_Loader.yaml_implicit_resolvers = {}

for _kind, _form, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", ["n", "~", ""]),
    ("int", r"-?(0|[1-9]\d{0,14})", "-0123456789"),
    ("float", r"-?\d{1,15}\.\d{1,15}", "-0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(f"^(?:{_form})$"), list(_first))


def base_config(change: Change) -> RepoConfig:
    """What the base of a change says; nothing where it has no such file. Raises InputError, ConfigInvalid."""
    text = read_base(change, FILE, MOST_BYTES)
    return RepoConfig() if text is None else read_config(text, f"{FILE} of {change.base}")


def _node(text: str, name: str) -> yaml.Node | None:
    """The one document of a text. Aliases are refused, which could make few lines stand for millions; so are keys that stand twice."""
    depth = 0
    for token in yaml.scan(text, Loader=_Loader):
        depth += isinstance(token, _BEGIN) - isinstance(token, _END)
        if depth > DEEPEST:
            raise ConfigInvalid(name, [(token.start_mark.line + 1, "this is nested too deeply")])
        if isinstance(token, yaml.AliasToken | yaml.AnchorToken | yaml.TagToken):
            raise ConfigInvalid(name, [(token.start_mark.line + 1, "anchors, aliases and tags are not supported; write it out")])
    node: yaml.Node | None = yaml.compose(text, Loader=_Loader)
    for mapping in _mappings(node):
        seen: set[str] = set()
        for key, _ in mapping.value:
            word = str(key.value)
            if word in seen:
                raise ConfigInvalid(name, [(key.start_mark.line + 1, f"the key {word!r} stands here a second time")])
            seen.add(word)
    return node


def _mappings(node: yaml.Node | None) -> Iterator[yaml.MappingNode]:
    left = [node]
    while left:
        one = left.pop()
        if isinstance(one, yaml.MappingNode):
            yield one
            left += [part for pair in one.value for part in pair]
        elif isinstance(one, yaml.SequenceNode):
            left += one.value


def _line(node: yaml.Node | None, place: Sequence[int | str]) -> int:
    """The line of what a place leads to, or of the last on the way that is there."""
    line = 1
    for part in place:
        if isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1 if node is not None and node.start_mark else line
    return line


def _sentence(problem: Any, known_keys: Callable[[Sequence[str]], Iterable[str]]) -> str:
    """What is wrong, and what would be right."""
    place = [str(part) for part in problem["loc"] if part != "[key]"]
    name = ".".join(place)
    if problem["type"] == "extra_forbidden":
        known = list(known_keys(place))
        near = difflib.get_close_matches(place[-1], known, 1)
        return f"{name}: there is no such key; " + (f"is {near[0]!r} meant?" if near else f"there are {', '.join(known)}")
    said = problem["msg"].removeprefix("Value error, ")
    return f"{name or 'the file'}: {said[0].lower()}{said[1:]}, not {str(problem['input'])[:80]!r}"
