"""Questions about people."""

from __future__ import annotations

from client.connection import Shared


def mail_of(shared: Shared, name: str) -> str | None:
    """Return the mail address of a person."""
    return shared.get().ask(f"mail {name}") or None
