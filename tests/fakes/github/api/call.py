"""One call of an operation, and the list of all that are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from tests.fakes.github.credentials import Caller
from tests.fakes.github.description import Operation
from tests.fakes.github.wire import JSON, Refused, Request, invalid, missing

if TYPE_CHECKING:
    from tests.fakes.github.accounts import Account, App
    from tests.fakes.github.github import GitHub
    from tests.fakes.github.pull import Pull
    from tests.fakes.github.repository import Repository

T = TypeVar("T")

MOST_CHARACTERS = 65_536


@dataclass(frozen=True)
class Call:
    """A request whose operation and caller are known; `values` come from its path."""

    github: GitHub
    operation: Operation
    request: Request
    caller: Caller
    values: dict[str, str]
    body: JSON = field(default_factory=dict)

    @property
    def repository(self) -> Repository:
        """The one in the path. Raises Refused when there is none."""
        found = self.github.find(f"{self.values['owner']}/{self.values['repo']}")
        if found is None:
            raise missing()
        return found

    @property
    def pull(self) -> Pull:
        """The pull request in the path. Raises Refused when there is none."""
        number = int(self.values.get("pull_number") or self.values["issue_number"])
        return found(self.repository.pulls, lambda pull: pull.number == number)

    @property
    def account(self) -> Account:
        """Who is named as the author of what it writes."""
        assert self.caller.account is not None
        return self.caller.account

    @property
    def app(self) -> App | None:
        """The App through which it writes, if any."""
        return self.caller.app

    def ident(self, name: str) -> int:
        """A number in the path."""
        return int(self.values[name])

    def owns(self, author: Account, *needed: str) -> None:
        """Raises Refused unless the caller wrote a thing itself, or is somebody who may change what others wrote."""
        if author is self.account or (self.caller.kind == "user" and self.repository.role(self.account) in ("admin", "maintain", "write")):
            return
        if self.caller.kind == "user":
            raise Refused(403, "Must have admin rights to Repository.")
        # An App with the permission may change anybody's, as a maintainer may.
        self.caller.needs(self.repository, *needed)


@dataclass(frozen=True)
class Handler:
    """What an operation does, for whom."""

    work: Callable[[Call], Any]
    needs: tuple[str, ...]
    """Any of these permissions suffices; none: the handler looks itself."""
    by: tuple[str, ...]
    """Kinds of callers."""


HANDLERS: dict[str, Handler] = {}

TOKENS = ("installation", "workflow", "user", "user-to-server")


def operation(name: str, *needs: str, by: tuple[str, ...] = TOKENS) -> Callable[[Callable[[Call], Any]], Callable[[Call], Any]]:
    """Register what an operation does. It returns a JSON value, a Page, an Answer or None."""

    def register(work: Callable[[Call], Any]) -> Callable[[Call], Any]:
        assert name not in HANDLERS, name
        HANDLERS[name] = Handler(work, needs, by)
        return work

    return register


def run(call: Call) -> Any:
    """Do what is asked, once the caller may. Raises Refused."""
    handler = HANDLERS[call.operation.id]
    if call.caller.kind not in handler.by:
        raise _wrong_kind(call.caller.kind, handler.by)
    if handler.needs:
        repository = call.repository
        call.caller.needs(repository, *handler.needs)
        if repository.archived and any(need.endswith(":write") for need in handler.needs):
            raise Refused(403, "Repository was archived so is read-only.")
    return handler.work(call)


def _wrong_kind(kind: str, by: tuple[str, ...]) -> Refused:
    if kind == "none":
        return Refused(401, "Requires authentication")
    if kind == "app":
        return Refused(401, "Bad credentials")
    if by == ("app",):
        return Refused(401, "A JSON web token could not be decoded")
    return Refused(403, "Resource not accessible by integration")


def found(things: list[T], wanted: Callable[[T], bool]) -> T:
    """The one that is wanted. Raises Refused when there is none."""
    for thing in things:
        if wanted(thing):
            return thing
    raise missing()


def written(body: JSON, resource: str, name: str = "body") -> str:
    """A text that is asked for. Raises Refused when it is blank or too long."""
    text = body.get(name) or ""
    if not text.strip():
        raise invalid(resource, name, f"{name} can't be blank", "missing_field")
    return bounded(text, resource, name)


def bounded(text: str, resource: str, name: str = "body") -> str:
    """The text. Raises Refused when it is too long."""
    if len(text) > MOST_CHARACTERS:
        raise invalid(resource, name, f"{name} is too long (maximum is {MOST_CHARACTERS} characters)")
    return text
