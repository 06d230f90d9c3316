"""What users can do with documents."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from docs_app.models import Document, Forbidden, NotFound

P = ParamSpec("P")
R = TypeVar("R")


def owner_only(
    method: Callable[Concatenate[Documents, str, Document, P], R],
) -> Callable[Concatenate[Documents, str, int, P], R]:
    """Look the document up, check that it belongs to the user and pass it on."""

    @wraps(method)
    def checked(self: Documents, user: str, number: int, *args: P.args, **kwargs: P.kwargs) -> R:
        document = self._get(number)
        if document.owner != user:
            raise Forbidden(number)
        return method(self, user, document, *args, **kwargs)

    return checked


class Documents:
    """All documents."""

    def __init__(self) -> None:
        self._documents: dict[int, Document] = {}
        self._next = 1

    def _get(self, number: int) -> Document:
        document = self._documents.get(number)
        if document is None:
            raise NotFound(number)
        return document

    def create(self, user: str, title: str) -> int:
        """Create a document and return its number."""
        number, self._next = self._next, self._next + 1
        self._documents[number] = Document(number, user, title)
        return number

    @owner_only
    def read(self, user: str, document: Document) -> str:
        """Return the text of a document."""
        return document.text

    @owner_only
    def write(self, user: str, document: Document, text: str) -> None:
        """Replace the text of a document."""
        document.text = text

    def rename(self, user: str, number: int, title: str) -> None:
        """Give a document another title."""
        title = title.strip()
        if not title:
            raise ValueError("a title is needed")
        document = self._get(number)
        document.title = title

    @owner_only
    def delete(self, user: str, document: Document) -> None:
        """Delete a document."""
        del self._documents[document.id]

    def titles(self, user: str) -> list[str]:
        """Return the titles of a user's documents."""
        return sorted(d.title for d in self._documents.values() if d.owner == user)
