"""What users can do with documents."""

from __future__ import annotations

from docs_app.models import Document, Forbidden, NotFound


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

    def read(self, user: str, number: int) -> str:
        """Return the text of a document."""
        document = self._get(number)
        if document.owner != user:
            raise Forbidden(number)
        return document.text

    def write(self, user: str, number: int, text: str) -> None:
        """Replace the text of a document."""
        document = self._get(number)
        if document.owner != user:
            raise Forbidden(number)
        document.text = text

    def rename(self, user: str, number: int, title: str) -> None:
        """Give a document another title."""
        title = title.strip()
        if not title:
            raise ValueError("a title is needed")
        document = self._get(number)
        if document.owner != user:
            raise Forbidden(number)
        document.title = title

    def delete(self, user: str, number: int) -> None:
        """Delete a document."""
        document = self._get(number)
        if document.owner != user:
            raise Forbidden(number)
        del self._documents[number]

    def titles(self, user: str) -> list[str]:
        """Return the titles of a user's documents."""
        return sorted(d.title for d in self._documents.values() if d.owner == user)
