"""The gateway of one host: every connection of every box, and who may what."""

from __future__ import annotations

import asyncio
import ssl
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import structlog

from sandbox.channel import Channel
from sandbox.errors import BoxNotFound
from sandbox.gateway.access import AttachedBox, BoxAccess, Host
from sandbox.gateway.budget import Call, Ledger, ModelAccess, Usage
from sandbox.gateway.connection import ChannelConnection, Connection
from sandbox.gateway.decisions import Decision
from sandbox.gateway.errand import post
from sandbox.gateway.errors import CallRefused, Refused
from sandbox.gateway.headers import AttachedHeaders
from sandbox.gateway.models import ModelRoutes
from sandbox.gateway.policy import NetworkPolicy
from sandbox.gateway.provider import ModelSettings
from sandbox.gateway.proxy import Session
from sandbox.gateway.resolve import check_still_allowed

log = structlog.get_logger()


@dataclass(eq=False, slots=True)
class _Live:
    """A connection being served."""

    box: AttachedBox
    session: Session
    task: asyncio.Task[None]


class Gateway:
    """Serves the connections of boxes; an async context manager that cuts them all at its end.

    Args:
        host: what all boxes share.
        models: providers and how they are asked.
        provider_trust: how providers are verified; None for as `host.trust` says.
    """

    def __init__(self, host: Host, models: ModelSettings | None = None, provider_trust: ssl.SSLContext | None = None) -> None:
        self._host = host
        self._models = ModelRoutes(models or ModelSettings(), provider_trust or host.trust)
        self._boxes: dict[str, AttachedBox] = {}
        self._live: set[_Live] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._cut(list(self._live))

    def attach(self, box_id: str, access: BoxAccess) -> None:
        """Serve a box from now on. Attaching it again begins new accounts and cuts what is still open."""
        for live in self._live:
            if live.box.box_id == box_id:
                live.task.cancel()
        self._boxes[box_id] = AttachedBox(box_id, access)

    async def detach(self, box_id: str) -> None:
        """Serve a box no more, and forget it. No error if it is not attached."""
        self._boxes.pop(box_id, None)
        await self.cut(box_id)

    def set_policy(self, box_id: str, policy: NetworkPolicy) -> None:
        """Replace a box's policy at once: what it refuses is cut. Raises BoxNotFound."""
        box = self._box(box_id)
        box.policy = policy
        for live in self._live:
            if live.box is box and live.session.route is not None:
                try:
                    check_still_allowed(live.session.route, policy)
                except Refused:
                    live.task.cancel()

    def set_headers(self, box_id: str, headers: AttachedHeaders) -> None:
        """Replace what is put into a box's requests, from the next connection on. Raises BoxNotFound."""
        self._box(box_id).headers = headers

    def grant_models(self, box_id: str, models: ModelAccess) -> None:
        """Let a box call models from now on. Raises BoxNotFound."""
        self._box(box_id).ledger = Ledger(models)

    def has_models(self, box_id: str) -> bool:
        """True if a box may call models."""
        box = self._boxes.get(box_id)
        return box is not None and box.ledger is not None

    def connected(self, box_id: str) -> Callable[[str, Channel], None]:
        """What a box's link calls with each connection to the gateway (`sandbox.link.Callbacks.connected`)."""

        def connected(_service: str, channel: Channel) -> None:
            self._start(box_id, ChannelConnection(channel))

        return connected

    async def serve(self, box_id: str, connection: Connection) -> None:
        """Serve one connection of a box until it ends; one of a box that is not attached is cut."""
        task = self._start(box_id, connection)
        if task is None:
            return
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()

    async def cut(self, box_id: str) -> None:
        """Cut all connections of a box, as before a freeze; returns when they have ended. New ones are served."""
        await self._cut([live for live in self._live if live.box.box_id == box_id])

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float) -> int:
        """See `sandbox.gateway.errand.post`."""
        return await post(self._host, url, headers, body, timeout_s)

    def decisions(self, box_id: str) -> list[Decision]:
        """The latest thousand decisions about a box, oldest first. Raises BoxNotFound."""
        return self._box(box_id).decisions.latest()

    def usage(self, box_id: str) -> Usage:
        """What a box's grant has used; nothing if it has none. Raises BoxNotFound."""
        ledger = self._box(box_id).ledger
        return Usage() if ledger is None else ledger.usage

    def calls(self, box_id: str) -> list[Call]:
        """The model calls of a box that have ended, in that order. Raises BoxNotFound."""
        ledger = self._box(box_id).ledger
        return [] if ledger is None else list(ledger.calls)

    def refusal(self, box_id: str) -> CallRefused | None:
        """Why the latest model call of a box was not passed on; None if all were. Raises BoxNotFound."""
        ledger = self._box(box_id).ledger
        return None if ledger is None else ledger.refusal

    def _box(self, box_id: str) -> AttachedBox:
        try:
            return self._boxes[box_id]
        except KeyError:
            raise BoxNotFound(f"box {box_id} is not attached to the gateway") from None

    def _start(self, box_id: str, connection: Connection) -> asyncio.Task[None] | None:
        box = self._boxes.get(box_id)
        if box is None:
            connection.abort()
            return None
        if box.open_connections >= self._host.settings.limits.connections:
            connection.abort()  # without a word: a box that asks for thousands would have us hold as many answers
            return None
        session = Session(self._host, box, connection, self._models)
        task = asyncio.get_running_loop().create_task(self._run(session, box, connection))
        live = _Live(box, session, task)
        self._live.add(live)
        box.open_connections += 1

        def ended(_: asyncio.Task[None]) -> None:
            self._live.discard(live)
            box.open_connections -= 1
            connection.abort()  # here, since a task that is cut before its first step runs no code of its own

        task.add_done_callback(ended)
        return task

    async def _run(self, session: Session, box: AttachedBox, connection: Connection) -> None:
        """The boundary of one connection: whatever goes wrong ends it alone."""
        try:
            async with asyncio.timeout(self._host.settings.limits.total_s):
                await session.run()
        except (ConnectionError, TimeoutError):
            pass  # the box broke it, or it was idle or open for too long
        except Exception as error:
            # Neither its text nor local variables: both may hold headers.
            where = "".join(traceback.format_tb(error.__traceback__))
            log.error("gateway connection failed", box_id=box.box_id, error=type(error).__name__, where=where)  # noqa: TRY400

    async def _cut(self, lives: list[_Live]) -> None:
        for live in lives:
            live.task.cancel()
        if lives:
            await asyncio.wait({live.task for live in lives})
