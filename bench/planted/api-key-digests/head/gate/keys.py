"""The keys; each is made by this module and has 256 random bits.

Only digests are kept. A fast hash without salt is right for keys that nobody can guess; it would not be for passwords.
"""

from __future__ import annotations

import hashlib
import secrets


def digest(key: str) -> bytes:
    """Return what is kept of a key."""
    return hashlib.sha256(key.encode()).digest()


class Keys:
    """Keys by the name of the client they were made for."""

    def __init__(self) -> None:
        self._clients: dict[bytes, str] = {}

    def issue(self, client: str) -> str:
        """Make a key for a client; it replaces the one before."""
        self.revoke(client)
        key = secrets.token_urlsafe(32)
        self._clients[digest(key)] = client
        return key

    def revoke(self, client: str) -> None:
        """Remove the key of a client."""
        self._clients = {kept: name for kept, name in self._clients.items() if name != client}

    def client_of(self, given: str) -> str | None:
        """Return the client whose key this is.

        How long the search takes tells at most something about the digest, from which no key can be made.
        """
        return self._clients.get(digest(given))
