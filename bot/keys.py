"""API keys: who may use the server."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Iterable
from pathlib import Path

from bot.errors import Misconfigured
from bot.settings import BotSettings


class Keys:
    """The keys that are accepted, compared in constant time."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = [key.encode() for key in keys if key]

    def accept(self, key: str | None) -> bool:
        """True if the key is one of ours."""
        return self.tenant(key) is not None

    def tenant(self, key: str | None) -> str | None:
        """Who calls: each key stands for a tenant of its own, named so that the name tells nothing of the key."""
        given = (key or "").encode()
        fits = [hmac.compare_digest(given, known) for known in self._keys]  # all are compared, so that time tells nothing
        return f"t{hashlib.sha256(given).hexdigest()[:20]}" if any(fits) else None

    @classmethod
    def of(cls, settings: BotSettings) -> Keys:
        """The configured keys, or the one kept in the data directory, which is made if need be."""
        configured = [key.get_secret_value() for key in settings.box_api_keys]
        return cls(configured or [own_key(settings.box_data_dir)])


def own_key(data_dir: Path) -> str:
    """The server's generated key; only its user can read the file."""
    file = data_dir / "api-key"
    data_dir.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        # Written aside and linked: the file is whole or absent, and the first of two processes wins.
        handle, draft = tempfile.mkstemp(prefix=".api-key-", dir=data_dir)
        try:
            with os.fdopen(handle, "w", encoding="ascii") as opened:
                opened.write(f"box_{secrets.token_urlsafe(32)}")
            with contextlib.suppress(FileExistsError):
                os.link(draft, file)
        finally:
            Path(draft).unlink()
    key = file.read_text(encoding="ascii").strip()
    if not key:
        raise Misconfigured(f"{file} is empty; delete it, and a new key is made")
    return key
