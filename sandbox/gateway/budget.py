"""What a box may spend on models, and what it has spent."""

from __future__ import annotations

import asyncio
import datetime
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

from sandbox.gateway.errors import CallRefused
from sandbox.gateway.prices import Price
from sandbox.gateway.usage import Count, Tokens

_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class ModelAccess:
    """A grant for model calls, made for one run.

    Attributes:
        token: what the box shows instead of a key.
        models: names it may ask for; `*` at the end of one stands for any ending.
        expires_at: aware; no call begins afterwards.
        max_requests: calls in all, those included that are refused for what they ask; None for no bound. The same for the others.
        max_tokens: of all four kinds. A call in flight is not stopped: the bound can be passed by the calls that
            run at the same time, eight at most.
        max_cost_usd: by the price table; models whose price is unknown are refused under it.
        max_failures: calls that fail one after the other, each after all its attempts; the ones after it are refused, so that no program
            goes on asking. It is not told either when it might come back, or it would wait for that.
        fallback_models: asked in this order when the model asked for stays overloaded or broken.
        provider_network: let the provider fetch URLs and run network tools for the box. Off by default, since
            that is a way out which no network policy sees.
    """

    token: str = field(repr=False)
    models: tuple[str, ...]
    expires_at: datetime.datetime
    max_requests: int | None = None
    max_tokens: int | None = None
    max_cost_usd: float | None = None
    max_failures: int | None = None
    fallback_models: tuple[str, ...] = ()
    provider_network: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """One call that was passed on.

    Attributes:
        model: that answered, or was asked last.
        status: of the answer; 0 if there was none.
        ms: from the request to the last byte.
        tokens: see `Count`.
        estimated: the provider did not say how many.
        cost_usd: None if the model's price is unknown.
        attempts: how often providers were asked.
        fallback_from: the model the box asked for, if another one answered.
        failure: why the answer is not whole; None if it is.
    """

    model: str
    status: int
    ms: int
    tokens: Tokens
    estimated: bool
    cost_usd: float | None
    attempts: int
    fallback_from: str | None = None
    failure: str | None = None

    @property
    def answered(self) -> bool:
        """True if the model did what it was asked."""
        return 200 <= self.status < 300 and self.failure is None


@dataclass(frozen=True, slots=True)
class Usage:
    """What a grant has used.

    Attributes:
        requests: calls begun, those included that were refused for what they asked.
        input_tokens: neither from nor into the provider's cache.
        cached_input_tokens: from it.
        cache_write_tokens: into it.
        output_tokens: reasoning included.
        cost_usd: None if the price of one of the models is unknown.
    """

    requests: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float | None = 0.0


class Ledger:
    """Keeps the accounts of one grant."""

    def __init__(self, access: ModelAccess) -> None:
        self.access = access
        self.calls: list[Call] = []
        self.turns = asyncio.Semaphore(_AT_ONCE if access.max_cost_usd is None else 1)
        """Taken for the length of a call: bounds memory; a budget in USD can be passed by one call, so there is one at a time."""
        self.refusal: CallRefused | None = None
        """The latest one that was not a wrong token."""
        self._requests = self._failures = 0
        self._tokens = Tokens()
        self._cost_usd, self._all_priced = 0.0, True

    def check_tokens(self, shown: Sequence[bytes]) -> None:
        """Raises CallRefused unless one of them is the grant's, and it is not too late."""
        own = self.access.token.encode()
        if not any(hmac.compare_digest(token, own) for token in shown):
            raise CallRefused("this is not the token of this box's run", 401, "authentication_error")
        self.check_expiry()

    def check_expiry(self) -> None:
        """Raises CallRefused if it is too late."""
        if datetime.datetime.now(datetime.UTC) >= self.access.expires_at:
            raise CallRefused("the grant of this run has expired", 401, "authentication_error")

    def check_model(self, model: str, price: Price | None) -> None:
        """Raises CallRefused if the grant does not cover this model."""
        if not any(model.startswith(name[:-1]) if name.endswith("*") else model == name for name in self.access.models):
            raise CallRefused(f"model {model[:100]!a} is not among those of this run", 404, "not_found_error")
        if price is None and self.access.max_cost_usd is not None:
            raise CallRefused(f"the price of {model[:100]!a} is unknown, and this run has a budget in USD", 400, "invalid_request_error")

    def check_spending(self) -> None:
        """Raises CallRefused when the bound of tokens or USD is reached."""
        _check_bound("tokens", self.access.max_tokens, self._tokens.total)
        _check_bound("USD", self.access.max_cost_usd, self._cost_usd)

    def begin(self) -> None:
        """A call begins, whatever becomes of it. Raises CallRefused when a bound is reached."""
        _check_bound("requests", self.access.max_requests, self._requests)
        self.check_spending()
        if self.access.max_failures is not None and self._failures >= self.access.max_failures:
            raise CallRefused(f"the last {self._failures} calls of this run failed; no more are made", 400, "api_error")
        self._requests += 1

    def end(self, call: Call) -> None:
        """A call has ended."""
        self.calls.append(call)
        self._failures = 0 if call.answered else self._failures + 1
        self.refusal = None if call.answered else self.refusal
        self._tokens += call.tokens
        self._cost_usd += call.cost_usd or 0.0
        self._all_priced = self._all_priced and call.cost_usd is not None

    @property
    def usage(self) -> Usage:
        """All calls until now."""
        tokens, cost = self._tokens, self._cost_usd if self._all_priced else None
        return Usage(self._requests, tokens.input, tokens.cached_input, tokens.cache_write, tokens.output, cost)


def _check_bound(name: str, bound: float | None, so_far: float) -> None:
    if bound is not None and so_far >= bound:
        raise CallRefused(f"the budget of this run is used up: {so_far:g} of {bound:g} {name}", 400, "budget_error")


def cost_of(count: Count, price: Price | None) -> float | None:
    """USD, None if the price is unknown. What took nothing costs nothing."""
    if count.tokens.total == 0:
        return 0.0
    return None if price is None else price.of(count.tokens)
