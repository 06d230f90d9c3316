"""Requests and answers, apart from any server."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qsl, urlencode

JSON = dict[str, Any]
DOCS = "https://docs.github.com/rest"
PER_PAGE, MOST_PER_PAGE = 30, 100


class Changing(Protocol):
    """What knows when it changed last."""

    updated_at: datetime


T = TypeVar("T", bound=Changing)


@dataclass(frozen=True)
class Request:
    """One request; names of headers are in lower case, `path` is as it came (still quoted)."""

    method: str
    path: str
    query_string: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def query(self) -> dict[str, str]:
        """What stands behind the question mark."""
        return dict(parse_qsl(self.query_string, keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        """The body as a form or as JSON, whichever it is."""
        if "json" in self.headers.get("content-type", ""):
            return {str(name): str(value) for name, value in json.loads(self.body or b"{}").items()}
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass(frozen=True)
class Answer:
    """One answer: `body` is sent as it is if it is bytes, else as JSON."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def raw(self) -> bytes:
        """The body as it is sent."""
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()

    @property
    def fields(self) -> dict[str, str]:
        """All headers."""
        kind = {} if self.body is None or isinstance(self.body, bytes) else {"content-type": "application/json; charset=utf-8"}
        return {**kind, **self.headers}


@dataclass(frozen=True)
class Page:
    """A list of which a client gets a page: `items` are rendered by `render`; `key` is what an object with the list calls it."""

    items: Sequence[Any]
    render: Callable[[Any], Any]
    key: str | None = None
    more: JSON = field(default_factory=dict)
    """What else the object around the list has."""


class Refused(Exception):
    """An answer that is an error of the client's."""

    def __init__(self, status: int, message: str, errors: Sequence[Any] | None = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        body: JSON = {"message": message, "documentation_url": DOCS, "status": str(status)}
        if errors is not None:
            body["errors"] = list(errors)
        self.answer = Answer(status, body, headers or {})


def missing() -> Refused:
    """GitHub's answer for what is not there, and for what the caller may not know of."""
    return Refused(404, "Not Found")


def invalid(resource: str, fieldname: str, message: str = "", code: str = "custom") -> Refused:
    """GitHub's answer for a value that breaks a rule."""
    error = {"resource": resource, "field": fieldname, "code": code, **({"message": message} if message else {})}
    return Refused(422, "Validation Failed", [error])


def paged(page: Page, request: Request, address: str) -> Answer:
    """The part of a list that was asked for, with links to the others; `address` is the URL without its query."""
    query = request.query
    per_page = min(max(_number(query.get("per_page"), PER_PAGE), 1), MOST_PER_PAGE)
    number = max(_number(query.get("page"), 1), 1)
    last = max(-(-len(page.items) // per_page), 1)
    rows = [page.render(item) for item in page.items[(number - 1) * per_page : number * per_page]]
    places = {"prev": number - 1 if number > 1 else 0, "next": number + 1 if number < last else 0}
    places |= {"last": last if number < last else 0, "first": 1 if number > 1 else 0}
    rest = urlencode({name: value for name, value in query.items() if name != "page"})
    links = [f'<{address}?{rest}{"&" if rest else ""}page={place}>; rel="{name}"' for name, place in places.items() if place]
    body = {"total_count": len(page.items), **page.more, page.key: rows} if page.key else rows
    return Answer(200, body, {"link": ", ".join(links)} if links else {})


def since(items: Sequence[T], request: Request) -> list[T]:
    """Those that changed since the time that is asked for, if one is."""
    asked = request.query.get("since")
    return [item for item in items if asked is None or item.updated_at >= datetime.fromisoformat(asked)]


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.lstrip("-").isdigit() else default
