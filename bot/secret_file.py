"""Secrets that the server makes for itself, once, and keeps in the data directory."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from bot.errors import Misconfigured


def secret_of(file: Path, *, prefix: str = "") -> str:
    """The secret in a file that only its user can read; a new one if there is no file yet. Raises Misconfigured for an empty file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        # Written aside and linked: the file is whole or absent, and the first of two processes wins.
        handle, draft = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
        try:
            with os.fdopen(handle, "w", encoding="ascii") as opened:
                opened.write(f"{prefix}{secrets.token_urlsafe(32)}")
            with contextlib.suppress(FileExistsError):
                os.link(draft, file)
        finally:
            Path(draft).unlink()
    secret = file.read_text(encoding="ascii").strip()
    if not secret:
        raise Misconfigured(f"{file} is empty; delete it, and a new one is made")
    return secret
