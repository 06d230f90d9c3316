"""What is sent along to another site, and must come back with the same browser: signed, short-lived, good once."""

from __future__ import annotations

import base64
import secrets
import time

from arq.connections import ArqRedis
from fastapi.requests import HTTPConnection

from bot.dashboard.sessions import Sessions

LASTS_S = 600
MOST = 1000


class States:
    """Makes and takes states.

    Args:
        redis: remembers those that were taken.
    """

    def __init__(self, sessions: Sessions, redis: ArqRedis) -> None:
        self._sessions, self._redis = sessions, redis

    def issue(self, purpose: str, bound_to: str, carries: str = "") -> str:
        """A new one.

        Args:
            purpose: it is good for nothing else.
            bound_to: a secret of the browser's: a session's id or a cookie.
            carries: comes back with it; everybody on the way can read it.
        """
        packed = base64.urlsafe_b64encode(carries.encode()).decode().rstrip("=")
        body = f"{int(time.time()) + LASTS_S}.{secrets.token_urlsafe(12)}.{packed}"
        return f"{body}.{self._sessions.token(_about(purpose, bound_to, body))}"

    async def take(self, purpose: str, bound_to: str, state: str) -> str | None:
        """What it carries; None for one that was forged, is another's, too old, or taken before."""
        body, _, signature = state.rpartition(".")
        if len(state) > MOST or not bound_to or not self._sessions.is_token(_about(purpose, bound_to, body), signature):
            return None
        expires, ident, packed = body.split(".")
        left_s = int(expires) - int(time.time())
        if left_s <= 0 or not await self._redis.set(f"box:dashboard:state:{ident}", "1", nx=True, ex=left_s + 1):
            return None
        return base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode()


def _about(purpose: str, bound_to: str, body: str) -> str:
    return f"state\0{purpose}\0{bound_to}\0{body}"


def states_of(request: HTTPConnection) -> States:
    """The application's states."""
    states: States = request.app.state.states
    return states
