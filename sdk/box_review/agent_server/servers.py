"""Agent servers of many tenants."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from box_review.agent_server.observation import Body
from box_review.agent_server.server import AgentServer
from box_review.agent_server.service import Service

MOST_OPEN = 200
"""Tenants whose connection and memory are kept at hand; more are served, each opened anew."""


class AgentServers:
    """The agent servers of one service: any number of tenants, one connection, one thread that carries observations.

    Args:
        options: as `Service` takes them.
    """

    def __init__(self, **options: Any) -> None:
        self.service = Service(self._deliver, **options)
        self.observer = self.service.observer
        self._servers: OrderedDict[str, AgentServer] = OrderedDict()
        self._making = threading.Lock()

    def of(self, tenant: str) -> AgentServer:
        """A tenant's. Nothing is made before it is needed. Raises InputError."""
        with self._making:
            found = self._servers.get(tenant) or AgentServer(tenant, service=self.service)
            self._servers[tenant] = found
            self._servers.move_to_end(tenant)
            if len(self._servers) > MOST_OPEN:  # those who come back open their connections and read their memories anew
                self._servers.popitem(last=False)[1].leave()
            return found

    def observe(self, tenant: str, request: Body, response: Body = None, metadata: Mapping[str, Any] | None = None) -> bool:
        """See `AgentServer.observe`."""
        return self.observer.observe(tenant, request, response, metadata)

    def _deliver(self, tenant: str, batch: str, observations: Sequence[Mapping[str, Any]]) -> None:
        self.of(tenant).take(batch, observations)

    def close(self, timeout_s: float = 10.0) -> bool:
        """Deliver what was observed, and digest it as far as there is time; False if some was not delivered. Boxes freeze by themselves."""
        ends = time.monotonic() + timeout_s
        delivered = self.observer.flush(timeout_s)
        for server in list(self._servers.values()):
            server.settle(ends - time.monotonic())
        self.service.close(0.1)
        return delivered

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
