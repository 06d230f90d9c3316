"""The users."""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass

ROUNDS = 20_000


@dataclass(frozen=True)
class User:
    """A user; the password is kept as a salted hash."""

    name: str
    mail: str
    salt: bytes
    digest: bytes

    def knows(self, password: str) -> bool:
        """Tell whether this is the user's password."""
        return hmac.compare_digest(hash_password(password, self.salt), self.digest)


def hash_password(password: str, salt: bytes) -> bytes:
    """Return the hash of a password."""
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ROUNDS)


class Users:
    """All users by name."""

    def __init__(self) -> None:
        self._users: dict[str, User] = {}

    def add(self, name: str, mail: str, password: str) -> User:
        """Add a user with a name that is not taken."""
        if name in self._users:
            raise ValueError(f"{name} is taken")
        salt = os.urandom(16)
        user = User(name, mail, salt, hash_password(password, salt))
        self._users[name] = user
        return user

    def find(self, name: str) -> User | None:
        """Return the user with this name, None where there is none."""
        return self._users.get(name)
