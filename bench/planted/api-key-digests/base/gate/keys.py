"""The keys; each is made by this module and has 256 random bits."""

from __future__ import annotations

import hmac
import secrets


class Keys:
    """Keys by the name of the client they were made for."""

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}

    def issue(self, client: str) -> str:
        """Make a key for a client; it replaces the one before."""
        key = secrets.token_urlsafe(32)
        self._keys[client] = key
        return key

    def revoke(self, client: str) -> None:
        """Remove the key of a client."""
        self._keys.pop(client, None)

    def client_of(self, given: str) -> str | None:
        """Return the client whose key this is."""
        found = None
        for client, key in self._keys.items():
            if hmac.compare_digest(key.encode(), given.encode()):
                found = client
        return found
