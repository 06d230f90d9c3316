"""Where a program finds a server: the one of its environment, or one that the application starts here."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
from collections.abc import Iterator
from typing import Any

from box_review.client import Address
from box_review.errors import ServerMissing

ENTRY_POINTS = "box_review.commands"
INSTALL = "this command needs the application: pipx install box-review (only the SDK is installed here)"


@contextlib.contextmanager
def server(driver: str = "auto") -> Iterator[Address]:
    """The server of BOX_REVIEW_URL, or one of this machine's own for as long as the context lasts. Raises ServerMissing, InputError."""
    if os.environ.get("BOX_REVIEW_URL"):
        yield Address.from_environment()
        return
    with entry("embedded")(driver=None if driver == "auto" else driver) as address:
        yield address


def entry(name: str) -> Any:
    """What the application offers under a name. Raises ServerMissing."""
    for found in importlib.metadata.entry_points(group=ENTRY_POINTS, name=name):
        return found.load()
    raise ServerMissing(INSTALL)
