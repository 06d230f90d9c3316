"""What a delivery means for a pull request: rules without I/O. Whether it is so any more, and allowed, is looked up later."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Annotated, Literal

from box_review.finding import ContractModel
from pydantic import Field, TypeAdapter, ValidationError

from bot.github.commands import is_call
from bot.github.events import Check, Event
from bot.github.pull import PullRef

MOST_SAID = 9000
_LOOKS = {"opened": "opened", "reopened": "reopened", "ready_for_review": "ready", "synchronize": "pushed"}


class Look(ContractModel):
    """A review may be due.

    Args:
        why: what happened.
        label: that was set, for `labeled`.
        again: also if this commit was reviewed.
        head_sha, at: the head that the delivery told of, and when it came (Unix seconds).
    """

    kind: Literal["look"] = "look"
    why: Literal["opened", "reopened", "ready", "pushed", "retargeted", "labeled", "rerequested"]
    label: str = ""
    again: bool = False
    head_sha: str = Field(default="", max_length=64)
    at: float = 0.0


class Closed(ContractModel):
    """Nobody waits for a review any more."""

    kind: Literal["closed"] = "closed"


class Said(ContractModel):
    """Somebody spoke to us.

    Args:
        comment_id: of the comment; `on_line` if it stands at a line of the diff.
        thread_id: first comment of the thread it stands in, if it does.
    """

    kind: Literal["said"] = "said"
    comment_id: int
    on_line: bool = False
    thread_id: int | None = None
    author: str
    body: str = Field(max_length=MOST_SAID)


Intent = Annotated[Look | Closed | Said, Field(discriminator="kind")]
intent: TypeAdapter[Look | Closed | Said] = TypeAdapter(Intent)


@dataclass(frozen=True)
class ForPull:
    """Something to do for one pull request."""

    pull: PullRef
    intent: Look | Closed | Said


@dataclass(frozen=True)
class InstallationGone:
    """The App was removed or suspended: its pull requests are none of our business any more."""

    installation_id: int


@dataclass(frozen=True)
class Nothing:
    """Nothing is to be done."""

    why: str


def decide(name: str, event: Event, app_id: int) -> ForPull | InstallationGone | Nothing:
    """What an event asks for."""
    rules = {
        "pull_request": _pull_request,
        "issue_comment": _comment,
        "pull_request_review_comment": _comment,
        "check_run": _check,
        "check_suite": _check,
        "installation": _installation,
    }
    if name not in rules:
        return Nothing(f"{name} events mean nothing here" if name != "ping" else "pong")
    return rules[name](event, app_id)


def _pull_request(event: Event, _: int) -> ForPull | Nothing:
    action, pull = event.action or "", event.pull_request
    if pull is None:
        return Nothing("no pull request")
    if action == "closed":
        return _for(event, pull.number, Closed())
    if action in _LOOKS:
        look = {"why": _LOOKS[action], "head_sha": pull.head.sha[:64], "at": time.time()}
        return _for(event, pull.number, Look.model_validate(look))
    if action == "edited" and "base" in event.changes:
        return _for(event, pull.number, Look(why="retargeted"))
    if action == "labeled" and event.label is not None:
        return _for(event, pull.number, Look(why="labeled", label=event.label.name[:100]))
    return Nothing(f"pull_request.{action} changes nothing for a review")


def _comment(event: Event, _: int) -> ForPull | Nothing:
    comment, author = event.comment, event.comment.user if event.comment else None
    pull = event.pull_request or (event.issue if event.issue and event.issue.pull_request is not None else None)
    if event.action != "created" or comment is None or pull is None:
        return Nothing("no new comment on a pull request")
    if author is None or author.type == "Bot":
        return Nothing("programs are not answered")  # nor are we: our own comments come back as events
    if not is_call(comment.body):
        return Nothing("it does not speak to us")
    on_line = event.pull_request is not None
    thread = (comment.in_reply_to_id or comment.id) if on_line else None
    said = Said(comment_id=comment.id, on_line=on_line, thread_id=thread, author=author.login, body=comment.body[:MOST_SAID])
    return _for(event, pull.number, said)


def _check(event: Event, app_id: int) -> ForPull | Nothing:
    check = event.check_run or event.check_suite
    if event.action != "rerequested" or check is None:
        return Nothing("only checks that are asked for again matter")
    if check.app is None or check.app.id != app_id:
        return Nothing("the check of another app")
    number = _number(check)
    return Nothing("the check is of no open pull request") if number is None else _for(event, number, Look(why="rerequested", again=True))


def _number(check: Check) -> int | None:
    """Which pull request a check is of, by the name we have given it; suites have none, and only some name their pull requests."""
    parts = (check.external_id or "").split(":")
    if len(parts) == 4 and parts[1].isascii() and parts[1].isdigit():
        return int(parts[1])
    return check.pull_requests[0].number if check.pull_requests else None


def _installation(event: Event, _: int) -> InstallationGone | Nothing:
    if event.action in ("deleted", "suspend") and event.installation is not None:
        return InstallationGone(event.installation.id)
    return Nothing(f"installation.{event.action} needs nothing")


def _for(event: Event, number: int, what: Look | Closed | Said) -> ForPull | Nothing:
    if event.installation is None:
        return Nothing("the delivery comes from no installation of the App")
    if event.repository is None:
        return Nothing("no repository")
    try:
        pull = PullRef(
            installation_id=event.installation.id,
            repo_id=event.repository.id,
            owner=event.repository.owner.login,
            repo=event.repository.name,
            number=number,
        )
    except ValidationError:
        return Nothing("names that no repository has")
    return ForPull(pull, what)
