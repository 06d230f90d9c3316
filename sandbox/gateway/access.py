"""What one box may have of the outside, and the record of what it took."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field

from sandbox.gateway.authority import Authority
from sandbox.gateway.budget import Ledger, ModelAccess
from sandbox.gateway.connection import Connector, connect
from sandbox.gateway.decisions import DecisionLog
from sandbox.gateway.headers import AttachedHeaders
from sandbox.gateway.policy import NetworkPolicy
from sandbox.gateway.resolve import Resolver, SystemResolver
from sandbox.gateway.settings import GatewaySettings

_LOOKUPS = 4  # at the same time, so that one box cannot take all of the host's


@dataclass(frozen=True, slots=True)
class BoxAccess:
    """What a box is given.

    Attributes:
        policy: which hosts it may talk to; can be replaced later.
        headers: what is put into its HTTPS requests on the way out.
        models: its grant for model calls; None for none.
    """

    policy: NetworkPolicy = field(default_factory=lambda: NetworkPolicy(mode="deny-all"))
    headers: AttachedHeaders = field(default_factory=AttachedHeaders)
    models: ModelAccess | None = None


class AttachedBox:
    """A box that the gateway serves."""

    def __init__(self, box_id: str, access: BoxAccess) -> None:
        self.box_id = box_id
        self.policy = access.policy
        self.headers = access.headers
        self.decisions = DecisionLog(box_id)
        self.open_connections = 0
        self.lookups = asyncio.Semaphore(_LOOKUPS)
        self.ledger = None if access.models is None else Ledger(access.models)


@dataclass(frozen=True, slots=True)
class Host:
    """What all boxes of a host share on their way out.

    Attributes:
        settings: ports, limits and exceptions.
        authority: makes the certificates of hosts with attached headers.
        resolver: looks names up.
        connect: opens connections to addresses that have been checked.
        trust: how servers outside are verified where TLS is ours.
    """

    settings: GatewaySettings
    authority: Authority
    resolver: Resolver = field(default_factory=SystemResolver)
    connect: Connector = connect
    trust: ssl.SSLContext = field(default_factory=ssl.create_default_context)
