"""Deliveries as GitHub sends them, read tolerantly: the dozen fields that are needed, whatever else is there or not."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.errors import Refused

KNOWN = frozenset(
    {
        "ping",
        "pull_request",
        "issue_comment",
        "pull_request_review_comment",
        "check_run",
        "check_suite",
        "installation",
        "installation_repositories",
    }
)
"""Events that mean something here."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Account(_Part):
    """A user, an organisation or a bot."""

    login: str
    type: str = "User"


class Repository(_Part):
    """Where it happened."""

    id: int
    name: str
    owner: Account


class Installation(_Part):
    """Through which installation of the App we hear of it."""

    id: int


class Commit(_Part):
    """One end of a pull request."""

    sha: str = ""
    ref: str = ""


class PullRequest(_Part):
    """A pull request as the event saw it; by now it may be another."""

    number: int
    head: Commit = Commit()


class Issue(_Part):
    """An issue, or a pull request if `pull_request` is there."""

    number: int
    pull_request: dict[str, Any] | None = None


class Comment(_Part):
    """What somebody said."""

    id: int
    body: str = ""
    user: Account | None = None
    in_reply_to_id: int | None = None


class CheckApp(_Part):
    """Whose check it is."""

    id: int


class Check(_Part):
    """A check run or suite."""

    head_sha: str = ""
    external_id: str | None = None
    app: CheckApp | None = None
    pull_requests: list[PullRequest] = Field(default=[])


class Label(_Part):
    """A label that was set."""

    name: str


class Event(_Part):
    """One delivery's body."""

    action: str | None = None
    installation: Installation | None = None
    repository: Repository | None = None
    pull_request: PullRequest | None = None
    issue: Issue | None = None
    comment: Comment | None = None
    check_run: Check | None = None
    check_suite: Check | None = None
    label: Label | None = None
    changes: dict[str, Any] = {}


def read_event(body: bytes) -> Event:
    """What a delivery says. Raises Refused for one that is no event of GitHub's."""
    try:
        return Event.model_validate_json(body)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in problem["loc"]) or "body"
        raise Refused(f"the delivery cannot be read: {place}: {problem['msg']}", 400) from error
