"""API keys: who may use the server, and as whom."""

from __future__ import annotations

import hashlib
import hmac
import math
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from arq.connections import ArqRedis
from box_review.keys import Key
from fastapi import Depends, Header
from fastapi.requests import HTTPConnection
from pydantic import BaseModel

from bot.errors import Refused
from bot.secret_file import secret_of
from bot.settings import BotSettings

KEYS = "box:keys"
MAX_KEYS = 10_000
_READING = ("GET", "HEAD", "OPTIONS")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. `configured` keys come from the server's settings and may make others."""

    tenant: str
    key_id: str
    read_only: bool = False
    configured: bool = False


class _Kept(BaseModel):
    """A key that was made, as Redis keeps it: by its hash, never itself."""

    key: Key
    tenant: str
    made_by: str


class Keys:
    """The keys that are accepted.

    Args:
        configured: those of the settings; each stands for a tenant of its own.
        redis: where those are kept that were made later; None for none.
    """

    def __init__(self, configured: Iterable[str], redis: ArqRedis | None = None) -> None:
        self._configured = [key.encode() for key in configured if key]
        self._redis = redis

    async def caller(self, key: str | None) -> Caller | None:
        """Whose key it is, None if it is nobody's or past its time."""
        return await self.standing(self.reference(key)) if key else None

    @property
    def operator(self) -> str:
        """The tenant of the first configured key: reviews that GitHub asks for are the operator's."""
        return _name(self._configured[0])

    def reference(self, key: str) -> str:
        """What stands for a key where the key itself must not be kept; it opens nothing."""
        given = key.encode()
        fits = [hmac.compare_digest(given, known) for known in self._configured]  # all are compared, so that time tells nothing
        return _name(given) if any(fits) else _hash(given)

    async def standing(self, reference: str) -> Caller | None:
        """Whose key a reference stands for, None if the key was removed or is past its time."""
        if reference in map(_name, self._configured):
            return Caller(tenant=reference, key_id=reference, configured=True)
        body = None if self._redis is None else await self._redis.hget(KEYS, reference)  # type: ignore[misc]
        kept = None if body is None else _Kept.model_validate_json(body)
        if kept is None or (kept.key.expires_at is not None and kept.key.expires_at <= time.time()):
            return None
        return Caller(kept.tenant, kept.key.id, kept.key.read_only)

    async def make(self, by: Caller, name: str, *, read_only: bool, new_tenant: bool, expires_in_s: int | None) -> Key:
        """A new key, which is told this once. Raises Refused."""
        redis = self._of(by)
        if await redis.hlen(KEYS) >= MAX_KEYS:  # type: ignore[misc]
            raise Refused(f"there are {MAX_KEYS} keys already; remove some", 409)
        secret, now = f"box_{secrets.token_urlsafe(32)}", math.ceil(time.time())  # up: no key lives shorter than was asked for
        tenant = f"t{secrets.token_hex(10)}" if new_tenant else by.tenant
        expires_at = None if expires_in_s is None else now + expires_in_s
        key = Key(id=f"k{secrets.token_hex(6)}", name=name, tenant=tenant, read_only=read_only, created_at=now, expires_at=expires_at)
        await redis.hset(KEYS, _hash(secret.encode()), _Kept(key=key, tenant=tenant, made_by=by.tenant).model_dump_json())  # type: ignore[misc]
        return key.model_copy(update={"secret": secret})

    async def made(self, by: Caller) -> list[Key]:
        """The keys that a caller has made, oldest first. Raises Refused."""
        return sorted((kept.key for _, kept in await self._made(by)), key=lambda key: key.created_at)

    async def remove(self, by: Caller, key_id: str) -> None:
        """A key is accepted no more. Raises Refused if the caller has made none such."""
        for field, kept in await self._made(by):
            if kept.key.id == key_id:
                await self._of(by).hdel(KEYS, field)  # type: ignore[misc]
                return
        raise Refused(f"no key {key_id!r}", 404)

    async def _made(self, by: Caller) -> list[tuple[str, _Kept]]:
        found = await self._of(by).hgetall(KEYS)  # type: ignore[misc]
        kept = [(field.decode(), _Kept.model_validate_json(body)) for field, body in found.items()]
        return [(field, one) for field, one in kept if one.made_by == by.tenant]

    def _of(self, by: Caller) -> ArqRedis:
        if not by.configured or self._redis is None:
            raise Refused("keys are managed with a key of the server's settings, not with one that was made", 403)
        return self._redis

    @classmethod
    def of(cls, settings: BotSettings, redis: ArqRedis) -> Keys:
        """The configured keys, or the one kept in the data directory, which is made if need be; and those made later."""
        configured = [key.get_secret_value() for key in settings.box_api_keys]
        return cls(configured or [own_key(settings.box_data_dir)], redis)


async def _caller(connection: HTTPConnection, x_box_api_key: Annotated[str | None, Header(include_in_schema=False)] = None) -> Caller:
    """Who calls. Raises Refused for nobody, and for who may only read and wants more."""
    keys: Keys = connection.app.state.service.keys
    caller = await keys.caller(x_box_api_key)
    if caller is None:
        raise Refused("the API key is missing, wrong or past its time; send it as X-Box-Api-Key", 401)
    connection.state.caller = caller  # for the audit log
    if caller.read_only and connection.scope.get("method", "WebSocket") not in _READING:
        raise Refused("this API key may only read", 403)
    if caller.read_only and connection.url.path.rstrip("/").endswith("/settings/webhook-secret"):
        raise Refused("this API key may not read what webhooks are signed with", 403)
    return caller


Authorized = Annotated[Caller, Depends(_caller)]


def _name(key: bytes) -> str:
    """A configured key's tenant; it tells nothing of the key."""
    return f"t{hashlib.sha256(key).hexdigest()[:20]}"


def _hash(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()


def own_key(data_dir: Path) -> str:
    """The server's generated key; only its user can read the file."""
    return secret_of(data_dir / "api-key", prefix="box_")
