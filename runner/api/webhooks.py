"""Telling other servers that something has ended: signed, tried three times, and only where boxes may go too."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import structlog

from runner.api.wire import Webhook
from sandbox.gateway.errors import BadHeaders, BadName, GatewayError, Refused
from sandbox.gateway.gateway import Gateway

log = structlog.get_logger()

TIMEOUT_S = 10.0
AT_ONCE = 8  # names that are looked up slowly must leave room for those of boxes
MAX_WAITING = 1000
WAITS_S = (0.0, 2.0, 8.0)
SIGNATURE = "X-Box-Signature"


class Webhooks:
    """Sends them in the background. One per host.

    Args:
        key: what the tenants' secrets are made of.
    """

    def __init__(self, gateway: Gateway, key: bytes) -> None:
        self._gateway, self._key = gateway, key
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._sending: set[asyncio.Task[None]] = set()

    def secret(self, tenant: str) -> str:
        """What a tenant checks signatures with."""
        return hmac.new(self._key, tenant.encode(), hashlib.sha256).hexdigest()

    def tell(self, tenant: str, webhook: Webhook, payload: dict[str, Any], told: Callable[[str | None], None]) -> None:
        """Send a payload without making anyone wait; `told` gets None once it was taken, or why it was not."""
        if len(self._sending) >= MAX_WAITING:
            told(f"{MAX_WAITING} others are being sent already")
            return
        task = asyncio.ensure_future(self._tell(tenant, webhook, json.dumps(payload).encode(), told))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def settle(self) -> None:
        """Let what is being sent come to its end, or leave it to the next start."""
        if self._sending:
            _, late = await asyncio.wait(self._sending, timeout=2.0)
            for task in late:
                task.cancel()

    async def _tell(self, tenant: str, webhook: Webhook, body: bytes, told: Callable[[str | None], None]) -> None:
        problem = ""
        for wait_s in WAITS_S:
            await asyncio.sleep(wait_s)
            try:
                async with self._turns:
                    status = await self._gateway.post(webhook.url, self._headers(tenant, webhook, body), body, TIMEOUT_S)
            except (Refused, BadName, BadHeaders) as error:
                told(str(error))  # which another try will not change
                return
            except GatewayError as error:
                problem = str(error)
            except Exception:  # a boundary: nobody waits for it
                log.exception("a webhook could not be sent")
                return
            else:
                if 200 <= status < 300:
                    told(None)
                    return
                problem = f"it answered {status}"
        told(problem)

    def _headers(self, tenant: str, webhook: Webhook, body: bytes) -> dict[str, str]:
        at = str(int(time.time()))
        signed = hmac.new(self.secret(tenant).encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        ours = {"Content-Type": "application/json", "User-Agent": "box-review", SIGNATURE: f"t={at},v1={signed}"}
        theirs = {name: value for name, value in webhook.headers.items() if name.lower() != SIGNATURE.lower()}
        return {name: value for name, value in ours.items() if name.lower() not in {given.lower() for given in theirs}} | theirs
