"""The login form."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from portal.redirects import safe_target

ROUNDS = 20_000


@dataclass(frozen=True)
class Answer:
    """A status with the headers that go with it."""

    status: int
    headers: dict[str, str]


def password_hash(password: str, salt: bytes) -> bytes:
    """Return what is stored of a password."""
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ROUNDS)


def login(form: Mapping[str, str], users: Mapping[str, tuple[bytes, bytes]]) -> Answer:
    """Check name and password, then send the browser to where it wanted to go."""
    salt, stored = users.get(form.get("name", ""), (b"", b""))
    given = password_hash(form.get("password", ""), salt)
    if not hmac.compare_digest(given, stored):
        return Answer(401, {})
    return Answer(303, {"Location": safe_target(form.get("next"))})
