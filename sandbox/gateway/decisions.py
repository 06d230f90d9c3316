"""What a box asked for and what became of it. Hosts and ports only: never paths, headers or bodies."""

from __future__ import annotations

import contextlib
import datetime
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import structlog

from sandbox.gateway.errors import GatewayError, Refused
from sandbox.gateway.names import Target

log = structlog.get_logger()

_KEPT = 1000
_RULE_CHARS = 200
_REASONS: dict[type[BaseException], str] = {TimeoutError: "idle for too long", ConnectionAbortedError: "idle for too long"}


@dataclass(slots=True)
class Decision:
    """One thing a box asked for.

    Attributes:
        target: host and port, canonical.
        outcome: `failed` was allowed, but the server outside could not be reached or broke off.
        rule: by which rule, or why it failed; cut after 200 characters.
        sent_bytes: from the box, counted while it lasts; without TLS and HTTP heads where those are ours.
        received_bytes: to the box.
        at: when it was decided.
    """

    target: Target
    outcome: Literal["allowed", "refused", "failed"]
    rule: str
    sent_bytes: int = 0
    received_bytes: int = 0
    at: datetime.datetime = field(default_factory=lambda: datetime.datetime.now(datetime.UTC))


class DecisionLog:
    """The latest decisions about one box, and a log line for each when it is over."""

    def __init__(self, box_id: str) -> None:
        self._log = log.bind(box_id=box_id)
        self._latest: deque[Decision] = deque(maxlen=_KEPT)

    def latest(self) -> list[Decision]:
        """At most the last thousand, oldest first."""
        return list(self._latest)

    @contextlib.contextmanager
    def record(self, target: Target, rule: str) -> Iterator[Decision]:
        """Something is allowed, and lasts as long as the `with` block; an exception tells that it failed."""
        decision = Decision(target, "allowed", rule[:_RULE_CHARS])
        self._latest.append(decision)
        try:
            yield decision
        except Refused as error:  # what came through the tunnel was not what it was allowed for
            decision.outcome, decision.rule = "refused", error.rule[:_RULE_CHARS]
            raise
        except BaseException as error:
            reason = str(error) if isinstance(error, GatewayError) else _REASONS.get(type(error), "cut")
            decision.outcome, decision.rule = "failed", reason[:_RULE_CHARS]
            raise
        finally:
            self._tell(decision)

    def refuse(self, target: Target, rule: str) -> None:
        """Something is refused."""
        decision = Decision(target, "refused", rule[:_RULE_CHARS])
        self._latest.append(decision)
        self._tell(decision)

    def _tell(self, decision: Decision) -> None:
        self._log.info(
            "network decision",
            decision=decision.outcome,
            host=decision.target.host,
            port=decision.target.port,
            rule=decision.rule,
            sent_bytes=decision.sent_bytes,
            received_bytes=decision.received_bytes,
        )
