"""What a workflow wants: the action's inputs and the event that started it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from box_review.config import RepoConfig
from box_review.errors import InputError
from box_review.review import DEFAULT_ROLES
from pydantic import ValidationError

EVENTS = ("pull_request", "push", "merge_group", "workflow_dispatch", "schedule")
_MODEL_ACCESS = ("BOX_REVIEW_URL", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_BASE_URL", "OPENAI_BASE_URL")
_OF_ANALYZERS = ("timeout_s", "fail_on", "max_comments")
_NUMBERS = {"budget_usd", "timeout_minutes"}
_WORDS = ("harness", "model", "instructions", "fail_on", "budget_usd", "timeout_minutes")


@dataclass(frozen=True)
class Commits:
    """What is compared; None where the repository itself decides."""

    base: str | None
    head: str | None


def wanted(environment: Mapping[str, str]) -> RepoConfig:
    """The inputs that say how to review, by the rules of `.github/box-review.yml`. Raises InputError naming one that cannot be used."""
    given: dict[str, Any] = {}
    for name in _WORDS:
        word = environment.get(f"INPUT_{name.upper()}", "").strip()
        if word:
            given[name] = _number(name, word) if name in _NUMBERS else word
    if roles := environment.get("INPUT_ROLES", "").replace(",", " ").split():
        given["roles"] = tuple(dict.fromkeys(roles))
    try:
        return RepoConfig.model_validate(given)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise InputError(f"the input {_dashed(problem['loc'][0])} cannot be {problem['input']!r}: {problem['msg']}") from error


def for_analyzers(chosen: Mapping[str, Any], environment: Mapping[str, str]) -> Mapping[str, Any] | None:
    """The options without all that needs a model, if no model can be reached from here, as in a fork's pull request; else None."""
    if any(environment.get(name) for name in _MODEL_ACCESS):
        return None
    kept = {name: value for name, value in chosen.items() if name in _OF_ANALYZERS}
    roles = tuple(role for role in chosen.get("roles", DEFAULT_ROLES) if role in DEFAULT_ROLES)
    return {**kept, "roles": roles or DEFAULT_ROLES, "harness": "static"}


def commits(environment: Mapping[str, str]) -> Commits:
    """What the event is about.

    Raises:
        InputError: the event cannot be read, or is one of those that put secrets next to foreign code.
    """
    name = environment.get("GITHUB_EVENT_NAME", "")
    if name not in EVENTS:
        what = f"{name}: others put the repository's secrets next to foreign code" if name else "nothing (GITHUB_EVENT_NAME is not set)"
        raise InputError(f"box-review runs on {', '.join(EVENTS)}, not on {what}")
    try:
        event = json.loads(Path(environment.get("GITHUB_EVENT_PATH", "")).read_bytes())
        if name == "pull_request":
            return Commits(str(event["pull_request"]["base"]["sha"]), str(event["pull_request"]["head"]["sha"]))
        if name == "merge_group":
            return Commits(str(event["merge_group"]["base_sha"]), str(event["merge_group"]["head_sha"]))
        if name == "push":
            before = str(event["before"])
            return Commits(before if before.strip("0") else None, str(event["after"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"the event {name} cannot be read: {type(error).__name__}: {error}") from error
    return Commits(None, None)


def _number(name: str, word: str) -> float:
    try:
        return float(word)
    except ValueError as error:
        raise InputError(f"the input {_dashed(name)} cannot be {word!r}: it is no number") from error


def _dashed(name: object) -> str:
    return str(name).replace("_", "-")
