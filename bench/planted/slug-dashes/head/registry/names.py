"""Names of projects."""

from __future__ import annotations

import re

MAX_LENGTH = 64
PROJECT = re.compile(r"(?=[a-z])(?:[a-z0-9]+[-.]?)+(?<![-.])")
RESERVED = frozenset({"admin", "api", "new", "static"})


class InvalidName(ValueError):
    """The name cannot be used."""


def canonical(name: str) -> str:
    """Return what makes two names the same: dashes and dots do not count."""
    return name.replace("-", "").replace(".", "")


def check_name(name: str) -> str:
    """Return the name of a project as it is stored."""
    name = name.strip().lower()
    if len(name) > MAX_LENGTH:
        raise InvalidName(f"a name has at most {MAX_LENGTH} characters")
    if not PROJECT.fullmatch(name):
        raise InvalidName(
            "a name starts with a letter, ends with a letter or digit and has only letters, digits and single"
            " dashes or dots between them"
        )
    if canonical(name) in RESERVED:
        raise InvalidName(f"{name} is reserved")
    return name
