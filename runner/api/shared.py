"""What all hosts of a fleet know of its tenants: variables of accounts, and what signs webhooks. In Redis."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from arq.connections import ArqRedis

_KEY = "box:webhook-key"


class Shared:
    """Reads and writes it."""

    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis

    async def env(self, tenant: str) -> dict[str, str]:
        """All variables of an account, by name."""
        found = await self._redis.hgetall(_env(tenant))  # type: ignore[misc]
        return {name.decode(): value.decode() for name, value in sorted(found.items())}

    async def set_env(self, tenant: str, values: Mapping[str, str], *, replace: bool = False) -> None:
        """Set some; with `replace` there are no others afterwards."""
        async with self._redis.pipeline(transaction=True) as pipe:
            if replace:
                pipe.delete(_env(tenant))
            if values:
                pipe.hset(_env(tenant), mapping=dict(values))
            await pipe.execute()

    async def unset_env(self, tenant: str, name: str) -> None:
        """Remove one; no error if it is not set."""
        await self._redis.hdel(_env(tenant), name)  # type: ignore[misc]

    async def webhook_key(self) -> bytes:
        """What the secrets of tenants are made of, the same for all hosts."""
        await self._redis.set(_KEY, secrets.token_hex(32), nx=True)
        return bytes(await self._redis.get(_KEY))


def _env(tenant: str) -> str:
    return f"box:env:{tenant}"
