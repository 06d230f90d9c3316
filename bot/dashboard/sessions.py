"""Who is signed in: a cookie that is signed here, has an end and holds no key.

A session that was begun with an API key lasts as long as the key does, with the rights the key has at that moment.
Whoever signs people in by other means calls `Sessions.begin`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

from arq.connections import ArqRedis
from box_review.finding import ContractModel
from pydantic import ValidationError

from bot.keys import Caller, Keys
from bot.secret_file import secret_of

LASTS_S = 7 * 24 * 3600
MAX_COOKIE = 3000
_ENDED = "box:dashboard:ended"


class Right(StrEnum):
    """What somebody may do: look, or also freeze, resume, cancel and replay."""

    READ = "read"
    ACT = "act"


class Session(ContractModel):
    """Somebody who is signed in.

    Args:
        who: shown to him; a name, never a secret.
        key: what stands for the API key that it was begun with (`Keys.reference`), with which it ends; empty for none.
        key_id: the key's id, for the audit log.
        github: True for somebody who came by GitHub: what he may is looked up for each page (`sight`), here stands nothing of it.
        expires_at: Unix seconds.
    """

    id: str
    tenant: str
    who: str
    rights: frozenset[Right]
    key: str = ""
    key_id: str = ""
    github: bool = False
    expires_at: float

    def may(self, right: Right) -> bool:
        """True if the right is among those of the session."""
        return right in self.rights

    @property
    def caller(self) -> Caller:
        """The same in the words of the API."""
        return Caller(self.tenant, self.key_id or self.who, read_only=not self.may(Right.ACT))


class Sessions:
    """Begins, reads and ends sessions.

    Args:
        secret: signs them; whoever has it is anybody.
        redis: remembers those that were ended before their time.
    """

    def __init__(self, secret: str, keys: Keys, redis: ArqRedis) -> None:
        self._secret, self._keys, self._redis = secret.encode(), keys, redis

    @classmethod
    def of(cls, data_dir: Path, keys: Keys, redis: ArqRedis) -> Sessions:
        """Those of a server, signed with a secret of its data directory."""
        return cls(secret_of(data_dir / "session-secret"), keys, redis)

    def begin(self, tenant: str, rights: Iterable[Right], who: str, *, lasts_s: float = LASTS_S) -> Session:
        """A new session of somebody whose right to it was checked before."""
        return Session(
            id=secrets.token_urlsafe(16), tenant=tenant, rights=frozenset(rights), who=who[:200], expires_at=time.time() + lasts_s
        )

    async def begin_with_key(self, key: str) -> Session | None:
        """A new session for an API key, None if it is nobody's."""
        caller = await self._keys.caller(key)
        if caller is None:
            return None
        session = self.begin(caller.tenant, _rights(caller), "server's key" if caller.configured else f"key {caller.key_id}")
        return session.model_copy(update={"key": self._keys.reference(key), "key_id": caller.key_id})

    def sealed(self, session: Session) -> str:
        """The session as a cookie's value."""
        body = base64.urlsafe_b64encode(session.model_dump_json().encode()).decode().rstrip("=")
        return f"{body}.{self._signed('session', body)}"

    async def opened(self, cookie: str | None) -> Session | None:
        """The session in a cookie as it stands now; None for one that is not ours, over, or whose key is gone."""
        session = self._unsealed(cookie or "")
        if session is None or session.expires_at <= time.time() or await self._redis.exists(f"{_ENDED}:{session.id}"):
            return None
        if not session.key:
            return session
        caller = await self._keys.standing(session.key)
        if caller is None or caller.tenant != session.tenant:
            return None
        return session.model_copy(update={"rights": frozenset(_rights(caller))})

    async def end(self, session: Session) -> None:
        """It is over, also for a copy of its cookie."""
        await self._redis.set(f"{_ENDED}:{session.id}", "1", ex=max(1, round(session.expires_at - time.time()) + 1))

    @property
    def operator(self) -> str:
        """The tenant whose server it is, and whose the reviews are that GitHub asks for."""
        return self._keys.operator

    def is_operators(self, session: Session) -> bool:
        """True for who may set the server up: with a key of the operator that may do more than read."""
        return bool(session.key) and session.tenant == self.operator and session.may(Right.ACT)

    def token(self, about: str) -> str:
        """What a form carries to show that it comes from a page of ours: made of a session's id, or of another random text."""
        return self._signed("form", about)

    def is_token(self, about: str, given: str) -> bool:
        """True for the token of `about`."""
        return hmac.compare_digest(self.token(about).encode(), given.encode("utf-8", "replace"))

    def _unsealed(self, cookie: str) -> Session | None:
        body, _, signature = cookie.partition(".")
        if len(cookie) > MAX_COOKIE or not hmac.compare_digest(
            self._signed("session", body).encode(), signature.encode("utf-8", "replace")
        ):
            return None
        try:
            return Session.model_validate_json(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        except (ValidationError, binascii.Error, ValueError):
            return None  # ours, but of another version

    def _signed(self, purpose: str, text: str) -> str:
        return hmac.new(self._secret, f"{purpose}\0{text}".encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def _rights(caller: Caller) -> Iterable[Right]:
    return (Right.READ,) if caller.read_only else (Right.READ, Right.ACT)
