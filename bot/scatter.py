"""Calls that concern boxes of several hosts: asked of each, and answered as one."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
from arq.connections import ArqRedis
from fastapi.responses import JSONResponse, Response

from bot.errors import Refused
from bot.fleet import ASK_S, Fleet, Place

NAMING_S = 120


class Scatter:
    """Calls of one tenant to a fleet of several hosts."""

    def __init__(self, fleet: Fleet, tenant: str) -> None:
        self._fleet, self._tenant = fleet, tenant

    async def list_boxes(self, target: str) -> Response:
        """All boxes of all hosts, oldest first."""
        lists = await self.ask_all("GET", target, None)
        return JSONResponse(sorted((box for boxes in lists for box in boxes), key=lambda box: box.get("created_at", 0)))

    async def list_snapshots(self, target: str) -> Response:
        """All snapshots of all hosts, oldest first."""
        found = [entry for answer in await self.ask_all("GET", target, None) for entry in answer["snapshots"]]
        return JSONResponse({"snapshots": sorted(found, key=lambda entry: entry.get("created_at", 0))})

    async def list_logs(self, target: str) -> Response:
        """The lines of all hosts, oldest first."""
        found = [line for answer in await self.ask_all("GET", target, None) for line in answer["logs"]]
        return JSONResponse({"logs": sorted(found, key=lambda line: line.get("timestamp", 0))})

    async def delete_snapshots(self, target: str, body: bytes) -> Response:
        """Some snapshots, or all, wherever they are."""
        return JSONResponse({"deleted": sum(answer["deleted"] for answer in await self.ask_all("DELETE", target, body))})

    async def delete_boxes(self, target: str, body: bytes) -> Response:
        """Boxes by id or name, each where it is; one that never was is told after the others have gone."""
        ids = _object(body).get("ids")
        if not isinstance(ids, list) or not ids or not all(isinstance(ident, str) for ident in ids):
            await self.ask((await self._fleet.places())[0], "DELETE", target, body)  # which says what is wrong
            raise Refused("ids: a list of ids is needed", 400)
        by_place: dict[Place, list[str]] = {}
        missing: Refused | None = None
        for ident in ids:
            try:
                by_place.setdefault(await self._fleet.of_box(self._tenant, ident), []).append(ident)
            except Refused as error:
                missing = missing or error
        await asyncio.gather(*(self.ask(place, "DELETE", target, json.dumps({"ids": part}).encode()) for place, part in by_place.items()))
        if missing is not None:
            raise missing
        return JSONResponse({})

    @contextlib.asynccontextmanager
    async def place_for(self, body: bytes, redis: ArqRedis) -> AsyncIterator[Place]:
        """The host of a box that is about to be made. Its name is nobody else's meanwhile. Raises Refused."""
        wanted = _object(body)
        name, snapshot_id = wanted.get("name"), wanted.get("snapshot_id")
        place = await (
            self._fleet.of_snapshot(self._tenant, snapshot_id)
            if isinstance(snapshot_id, str) and snapshot_id
            else self._fleet.for_new_box()
        )
        if not isinstance(name, str) or not name:
            yield place
            return
        key = f"box:naming:{self._tenant}:{name[:200]}"
        if not await redis.set(key, "1", nx=True, ex=NAMING_S):
            raise Refused(f"a box called {name!r} is being made", 409)
        try:
            await self._check_free(name)
            yield place
        finally:
            await redis.delete(key)

    async def _check_free(self, name: str) -> None:
        try:
            await self._fleet.of_box(self._tenant, name)
        except Refused as error:
            if error.status_code == 404:
                return
            raise
        raise Refused(f"there is a box called {name!r} already", 409)

    async def ask_all(self, method: str, target: str, body: bytes | None = None) -> list[Any]:
        """What all hosts answer. Raises Refused for the first that refuses, or does not answer."""
        return await asyncio.gather(*(self.ask(place, method, target, body) for place in await self._fleet.places()))

    async def ask(self, place: Place, method: str, target: str, body: bytes | None = None) -> Any:
        """What one host answers. Raises Refused."""
        headers = [("x-box-tenant", self._tenant), ("content-type", "application/json"), *self._fleet.shown(place)]
        try:
            answer = await self._fleet.client(place).request(
                method, f"{place.url}{target}", headers=headers, content=body, timeout=httpx.Timeout(3 * ASK_S)
            )
            said = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Refused(f"a host of the boxes does not answer: {type(error).__name__}; try again shortly", 503) from error
        if not answer.is_success:
            raise Refused(str(said.get("error", "")), answer.status_code)
        if isinstance(said, dict) and "error" in said:  # it took so long that the answer was begun before it was known
            raise Refused(str(said["error"]), 409)
        return said


def _object(body: bytes) -> dict[str, Any]:
    """The object in a body; an empty one if there is none, which the host will refuse."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
