"""Grants: an agent's leave to call models, and what the gateway has seen of it. What the agent says of itself is not asked."""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from box_review import Usage

from runner.harness.agent import AgentEvent, ErrorKind, failed, kind_of_status
from runner.harness.model_name import ModelName
from sandbox.box import Box
from sandbox.gateway.budget import Call, ModelAccess
from sandbox.gateway.gateway import Gateway

_FAILURES = 2
_REFUSED: Mapping[str, ErrorKind] = {"budget_error": "budget", "authentication_error": "auth", "not_found_error": "unknown_model"}


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much a run may use of models.

    Args:
        usd: by the gateway's price table; None for no bound.
        requests: calls of a model.
        fallback_models: asked when the model stays overloaded, in this order.
        seconds: from now, after which no call begins.
    """

    usd: float | None = None
    requests: int = 150
    fallback_models: tuple[str, ...] = ()
    seconds: float = 24 * 3600.0


class Grant:
    """The leave of one run in one box; a later one of the same box replaces it."""

    def __init__(self, gateway: Gateway, box: Box, model: str, allowance: Allowance) -> None:
        self._gateway, self._box = gateway, box
        self.token = f"run-{secrets.token_urlsafe(24)}"
        names = [ModelName.parse(name).name for name in (model, *allowance.fallback_models)]
        gateway.grant_models(
            box.id,
            ModelAccess(
                token=self.token,
                models=tuple(names),
                expires_at=datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=allowance.seconds),
                max_requests=allowance.requests,
                max_cost_usd=allowance.usd,
                max_failures=_FAILURES,
                fallback_models=tuple(names[1:]),
            ),
        )

    def usage(self) -> Usage:
        """What it has used so far; a cost that is not known counts as nothing."""
        used = self._gateway.usage(self._box.id)
        return Usage(
            input_tokens=used.input_tokens + used.cache_write_tokens,
            cached_input_tokens=used.cached_input_tokens,
            output_tokens=used.output_tokens,
            cost_usd=round(used.cost_usd or 0.0, 6),
        )

    def priced(self) -> bool:
        """True if the cost of everything it used is known."""
        return self._gateway.usage(self._box.id).cost_usd is not None

    def why(self, last: AgentEvent) -> AgentEvent:
        """An agent's error, said better where the gateway knows more: programs hide statuses and take refusals for crashes."""
        if last.kind != "error" or last.data.get("error_kind") in ("flood", "no_session"):
            return last
        session = last.data.get("session_id", "")
        refusal = self._gateway.refusal(self._box.id)
        if refusal is not None and refusal.kind != "api_error":
            return failed(_REFUSED.get(refusal.kind, "bad_request"), str(refusal), session_id=session)
        calls = self._gateway.calls(self._box.id)
        kind = None if not calls else _kind(calls[-1])
        if kind is None:
            return last
        return failed(kind, f"{_said(calls[-1])}; {last.data['error']}", session_id=session)


def _kind(call: Call) -> ErrorKind | None:
    if call.status == 0:
        return "unreachable"
    if call.status < 400:
        return "overloaded" if call.failure is not None else None
    return kind_of_status(call.status)


def _said(call: Call) -> str:
    tries = f" after {call.attempts} attempts" if call.attempts > 1 else ""
    if call.status < 400:
        return f"{call.model} gave no whole answer{tries} ({call.failure})"
    return f"{call.model} answered {call.status}{tries}"
