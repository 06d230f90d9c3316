"""What a document is."""

from __future__ import annotations

from dataclasses import dataclass


class NotFound(Exception):
    """There is no such document."""


class Forbidden(Exception):
    """The document belongs to somebody else."""


@dataclass
class Document:
    """A document."""

    id: int
    owner: str
    title: str
    text: str = ""
