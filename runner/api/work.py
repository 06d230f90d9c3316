"""What all work in boxes has in common: where it starts, how long it may take, how much it may say."""

from __future__ import annotations

import secrets

from sandbox.box import HOME, Command

MAX_S = 24 * 3600.0  # what has no deadline of its own ends with the day
MAX_OUTPUT_BYTES = 64 << 20


def new_id(kind: str) -> str:
    """A fresh id that nobody can guess."""
    return f"{kind}_{secrets.token_hex(12)}"


def folder_of(given: str | None) -> str:
    """Where a command starts: absolute, or relative to the workspace."""
    return HOME if not given else given if given.startswith("/") else f"{HOME}/{given}"


def spoken(command: Command) -> str:
    """A command as lists show it."""
    return " ".join(word if isinstance(word, str) else word.decode("utf-8", "replace") for word in command.argv)
