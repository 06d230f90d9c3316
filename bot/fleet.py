"""The hosts that hold boxes: which one a request is for. With one host all of this is no more than its address."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from urllib.parse import quote

import httpx
from box_review.jobs import HostReport
from pydantic import SecretStr

from bot.errors import Refused
from bot.reviews import Reviews

CONNECT_S = 10.0
ASK_S = 10.0
FRESH_S = 1.0
MAX_KNOWN = 100_000
TOKEN = "x-box-host-token"  # noqa: S105 - the header's name


@dataclass(frozen=True, slots=True)
class Place:
    """Where a host answers: a unix socket of this machine, or a URL."""

    host_id: str
    address: str

    @property
    def socket(self) -> str | None:
        """The unix socket, None if it is reached over the network."""
        return self.address if self.address.startswith("/") else None

    @property
    def url(self) -> str:
        """What paths are put behind."""
        return "http://host" if self.socket else self.address.rstrip("/")


class Fleet:
    """Finds hosts, and keeps connections to them.

    Args:
        reviews: has the registry of hosts.
        token: shown to hosts that are reached over the network.
    """

    def __init__(self, reviews: Reviews, token: SecretStr | None) -> None:
        self._reviews, self._token = reviews, token
        self._clients: dict[str, httpx.AsyncClient] = {}
        self._places: list[Place] = []
        self._held: dict[str, int] = {}
        self._looked_at = 0.0
        self._boxes: OrderedDict[str, Place] = OrderedDict()  # ids stay where they are; names may move

    async def places(self) -> list[Place]:
        """All hosts that are up. Raises Refused if none is."""
        if time.monotonic() - self._looked_at > FRESH_S:
            reports: list[HostReport] = [host for host in await self._reviews.hosts() if host.boxes]
            self._places = [Place(host.id, host.boxes) for host in sorted(reports, key=lambda host: host.id)]
            self._held = {host.id: host.held for host in reports}
            self._looked_at = time.monotonic()
        if not self._places:
            self._looked_at = 0.0
            raise Refused("no host that holds boxes is up; try again shortly", 503)
        return self._places

    async def for_new_box(self) -> Place:
        """The host that holds fewest boxes."""
        place = min(await self.places(), key=lambda place: self._held.get(place.host_id, 0))
        self._held[place.host_id] = self._held.get(place.host_id, 0) + 1  # until it reports anew
        return place

    async def of_box(self, tenant: str, reference: str) -> Place:
        """The host of a tenant's box, by id or name. Raises Refused."""
        return await self._find(f"box/{quote(reference, safe='')}", reference, tenant, f"no box {reference!r}")

    async def of_snapshot(self, tenant: str, snapshot_id: str) -> Place:
        """The host of a tenant's snapshot. Raises Refused."""
        return await self._find(f"snapshot/{quote(snapshot_id, safe='')}", "", tenant, f"no snapshot {snapshot_id!r}")

    async def of_visit(self, box_id: str) -> Place:
        """The host of a box that somebody visits. Raises Refused."""
        return await self._find(f"visit/{quote(box_id, safe='')}", box_id, "", "there is nothing here")

    def client(self, place: Place) -> httpx.AsyncClient:
        """A client for one host."""
        if place.address not in self._clients:
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
            transport = httpx.AsyncHTTPTransport(uds=place.socket, limits=limits)
            self._clients[place.address] = httpx.AsyncClient(transport=transport, trust_env=False)
        return self._clients[place.address]

    def shown(self, place: Place) -> list[tuple[str, str]]:
        """The headers that tell a host that it is us."""
        return [] if place.socket or self._token is None else [(TOKEN, self._token.get_secret_value())]

    async def close(self) -> None:
        """Close all connections."""
        await asyncio.gather(*(client.aclose() for client in self._clients.values()))

    async def _find(self, path: str, known_as: str, tenant: str, missing: str) -> Place:
        places = await self.places()
        if len(places) == 1:
            return places[0]  # which says itself what it does not have
        known = self._boxes.get(known_as)
        if known in places:
            return known
        answers = await asyncio.gather(*(self._ask(place, path, tenant) for place in places))
        for place, found in zip(places, answers, strict=True):
            if found:
                self._boxes[found] = place
                while len(self._boxes) > MAX_KNOWN:
                    self._boxes.popitem(last=False)
                return place
        if None in answers:
            raise Refused(f"{missing} on the hosts that answer, and one does not; try again shortly", 503)
        raise Refused(missing, 404)

    async def _ask(self, place: Place, path: str, tenant: str) -> str | None:
        """The id if the host has it, an empty text if not, None if it does not answer."""
        try:
            headers = [("x-box-tenant", tenant), *self.shown(place)]
            answer = await self.client(place).get(f"{place.url}/where/{path}", headers=headers, timeout=ASK_S)
            return str(answer.json()["id"]) if answer.status_code == 200 else "" if answer.status_code == 404 else None
        except (httpx.HTTPError, ValueError, KeyError):
            return None
