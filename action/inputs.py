"""What a workflow wants: the action's inputs and the event that started it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from box_review.config import RepoConfig
from box_review.errors import InputError
from box_review.review import DEFAULT_ROLES
from pydantic import ValidationError

EVENTS = ("pull_request", "push", "merge_group", "workflow_dispatch", "schedule")
_MODEL_ACCESS = ("BOX_REVIEW_URL", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_BASE_URL", "OPENAI_BASE_URL")
_OF_ANALYZERS = ("timeout_s", "fail_on", "max_comments", "ignore_paths")
_NUMBERS = {"budget_usd", "timeout_minutes"}
_YES, _NO = ("true", "True", "TRUE"), ("false", "False", "FALSE", "")
_WORDS = ("harness", "model", "instructions", "fail_on", "budget_usd", "timeout_minutes")


@dataclass(frozen=True)
class Commits:
    """What is compared; None where the repository itself decides.

    Args:
        fork: the pull request comes from another repository, so that GitHub gives its workflows no secrets.
        pull_request: its number.
    """

    base: str | None
    head: str | None
    fork: bool = False
    pull_request: int | None = None


@dataclass(frozen=True)
class Awaited:
    """A review that the App makes by itself, and where GitHub shows it."""

    api_url: str
    repository: str
    pull_request: int
    head_sha: str
    token: str = field(repr=False)


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
        problem, *more = error.errors(include_url=False)
        said = [problem["msg"], *(other["msg"] for other in more if other["loc"][0] == problem["loc"][0])]
        raise InputError(f"the input {_dashed(problem['loc'][0])} cannot be {problem['input']!r}: {'; '.join(said)}") from error


def asks_server(environment: Mapping[str, str]) -> bool:
    """Whether a server is asked for the review. Raises InputError where half of what that takes is missing."""
    url, key = environment.get("BOX_REVIEW_URL", ""), environment.get("BOX_REVIEW_API_KEY", "")
    if url and not key:
        raise InputError(
            "server-url is given, but api-key is empty, as secrets are in pull requests of forks; "
            "with wait-for-app: true this step waits for the App's own review there"
        )
    if key and not url:
        raise InputError("api-key is given, but server-url is empty")
    return bool(url)


def awaited(environment: Mapping[str, str], token: str) -> Awaited | None:
    """The App's review, if it is to be waited for: `wait-for-app` says so, and there is no key to ask the server with; else None.

    Raises:
        InputError: there is nothing that the App reviews by itself, or no way to look at it.
    """
    word = environment.get("INPUT_WAIT_FOR_APP", "").strip()
    if word not in _YES + _NO:
        raise InputError(f"the input wait-for-app cannot be {word!r}: it is true or false")
    if word in _NO or environment.get("BOX_REVIEW_API_KEY"):
        return None
    wanted = commits(environment)
    if wanted.pull_request is None or wanted.head is None:
        raise InputError(f"wait-for-app works on pull_request, which the App reviews, not on {environment.get('GITHUB_EVENT_NAME')}")
    repository = environment.get("GITHUB_REPOSITORY", "")
    if not token or not repository:
        raise InputError(f"to wait for the App, {'GITHUB_REPOSITORY' if token else 'the input github-token'} must not be empty")
    return Awaited(environment.get("GITHUB_API_URL") or "https://api.github.com", repository, wanted.pull_request, wanted.head, token)


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
            base, head = event["pull_request"]["base"], event["pull_request"]["head"]
            number = int(event["pull_request"]["number"])
            return Commits(str(base["sha"]), str(head["sha"]), fork=_repository(head) != _repository(base), pull_request=number)
        if name == "merge_group":
            return Commits(str(event["merge_group"]["base_sha"]), str(event["merge_group"]["head_sha"]))
        if name == "push":
            before = str(event["before"])
            return Commits(before if before.strip("0") else None, str(event["after"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"the event {name} cannot be read: {type(error).__name__}: {error}") from error
    return Commits(None, None)


def _repository(side: Mapping[str, Any]) -> object:
    """Of one side of a pull request; None for a fork that is gone."""
    return (side.get("repo") or {}).get("full_name")


def _number(name: str, word: str) -> float:
    try:
        return float(word)
    except ValueError as error:
        raise InputError(f"the input {_dashed(name)} cannot be {word!r}: it is no number") from error


def _dashed(name: object) -> str:
    return str(name).replace("_", "-")
