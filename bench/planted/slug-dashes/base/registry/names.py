"""Names of projects."""

from __future__ import annotations

import re

MAX_LENGTH = 64
PROJECT = re.compile(r"[a-z][a-z0-9]*")
RESERVED = frozenset({"admin", "api", "new", "static"})


class InvalidName(ValueError):
    """The name cannot be used."""


def check_name(name: str) -> str:
    """Return the name of a project as it is stored."""
    name = name.strip().lower()
    if len(name) > MAX_LENGTH:
        raise InvalidName(f"a name has at most {MAX_LENGTH} characters")
    if not PROJECT.fullmatch(name):
        raise InvalidName("a name has only letters and digits and starts with a letter")
    if name in RESERVED:
        raise InvalidName(f"{name} is reserved")
    return name
