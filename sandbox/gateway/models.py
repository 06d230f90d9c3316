"""Model calls: `/anthropic/*` and `/openai/*` of the gateway itself.

The box shows the token of its run; the real key is put in here. What a call may be, what it took and what
it cost is decided and written down here, whatever the program in the box says about it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial

import h11

from sandbox.gateway.attempts import Answer, Asked, Attempts
from sandbox.gateway.budget import Call, Ledger, cost_of
from sandbox.gateway.errors import BadHttp, CallRefused, GatewayError, UpstreamFailed
from sandbox.gateway.headers import Headers
from sandbox.gateway.provider import ENDPOINTS, Endpoint, ModelSettings, error_body, headers_back
from sandbox.gateway.question import Question, read_question, receive
from sandbox.gateway.requests import Requests
from sandbox.gateway.tasks import in_slot
from sandbox.gateway.usage import Count, Tokens, UsageReader

_NOTHING = Count(Tokens(), estimated=False)
_READ_AT_ONCE = 2


class ModelRoutes:
    """Serves model calls for all boxes of a host.

    Args:
        settings: providers, prices, patience.
        trust: how providers are verified.
    """

    def __init__(self, settings: ModelSettings, trust: ssl.SSLContext) -> None:
        self._settings, self._trust = settings, trust
        self._reading = asyncio.Semaphore(_READ_AT_ONCE)

    async def serve(self, client: Requests, request: h11.Request, target: str, ledger: Ledger | None) -> None:
        """Answer one request.

        Args:
            client: where it came from.
            request: its head.
            target: path and query.
            ledger: the box's account; None if it has no grant.

        Raises:
            GatewayError: the answer had begun and cannot be ended well.
        """
        path, _, query = target.partition("?")
        endpoint = ENDPOINTS.get((request.method, path))
        if endpoint is None:
            raise BadHttp("the gateway serves model calls (see ANTHROPIC_BASE_URL, OPENAI_BASE_URL) and nothing else here", 404)
        shown = False
        try:
            if ledger is None:
                raise CallRefused("this box has no grant for model calls", 403, "permission_error")
            ledger.check_tokens(_shown_tokens(request))
            shown = True
            asked = Asked(request.method, endpoint, query, tuple(request.headers.raw_items()))
            async with ledger.turns:
                await self._serve(client, request, asked, ledger)
        except GatewayError as error:
            if shown and ledger is not None and isinstance(error, CallRefused) and not client.started:
                ledger.refusal = error
            if client.started:
                raise
            await _refuse(client, endpoint, error)

    async def _serve(self, client: Requests, request: h11.Request, asked: Asked, ledger: Ledger) -> None:
        attempts = Attempts(self._settings, self._trust, asked)
        if asked.method == b"GET":
            async with _bounded(self._settings.total_s):
                await _pass_back(client, await attempts.first_answer([("", b"")]), _Passing())
            return
        if asked.endpoint.counted:
            ledger.begin()
        question = await self._question(client, request, asked.endpoint, ledger)
        ledger.check_expiry()
        self._check(question, ledger)
        if not asked.endpoint.counted:
            async with _bounded(self._settings.total_s):
                await _pass_back(client, await attempts.first_answer(question.bodies[:1]), _Passing())
            return
        with _recorded(ledger, self._settings, question, attempts) as passing:
            async with _bounded(self._settings.total_s):
                answer = await attempts.first_answer(question.bodies)
                await _pass_back(client, answer, passing)

    async def _question(self, client: Requests, request: h11.Request, endpoint: Endpoint, ledger: Ledger) -> Question:
        """Read on a thread, two at a time for the whole host: bodies can be big, and the loop belongs to all boxes."""
        limit = self._settings.body_bytes
        raw = await receive(client, limit)
        read = partial(read_question, raw, request, endpoint, limit, self._fallbacks(ledger))
        return await in_slot(self._reading, partial(asyncio.to_thread, read))

    def _check(self, question: Question, ledger: Ledger) -> None:
        ledger.check_model(question.model, self._settings.prices.of(question.model))
        around = None if ledger.access.provider_network else question.around
        if around is not None:
            raise CallRefused(f"{around} would lead around the box's network policy; this run may not use it", 400, "invalid_request_error")
        extra = None if ledger.access.max_cost_usd is None else question.surcharge
        if extra is not None:
            raise CallRefused(
                f"{extra} costs more than the price table says, and this run has a budget in USD", 400, "invalid_request_error"
            )
        if question.goes_on and (ledger.access.max_tokens is not None or ledger.access.max_cost_usd is not None):
            raise CallRefused("previous_response_id hides what a call costs, and this run has a budget", 400, "invalid_request_error")
        if question.endpoint.counted:
            ledger.check_spending()

    def _fallbacks(self, ledger: Ledger) -> list[str]:
        """In the grant's order; what the budget cannot account for is left out."""
        access = ledger.access
        return [model for model in access.fallback_models if access.max_cost_usd is None or self._settings.prices.of(model) is not None]


class _Passing:
    """What has been seen of an answer on its way back."""

    def __init__(self, question: Question | None = None, *, final: bool = False) -> None:
        self._question, self._final = question, final
        self._reader: UsageReader | None = None
        self.status = 0

    def begin(self, head: h11.Response) -> None:
        self.status = head.status_code
        if self._question is not None and 200 <= head.status_code < 300:
            stream = any(name == b"content-type" and value.startswith(b"text/event-stream") for name, value in head.headers)
            self._reader = UsageReader(stream, self._question.size)

    def back(self, headers: Headers) -> Headers:
        """The headers that the box gets."""
        kept = headers_back(headers)
        return tuple(pair for pair in kept if pair[0].lower() != b"retry-after") if self._final else kept

    def feed(self, data: bytes) -> None:
        if self._reader is not None:
            self._reader.feed(data)

    async def read_rest(self, pieces: AsyncIterator[bytes]) -> None:
        """The box has broken off, but the provider counts on: so do we, or it would have the answer and not pay for it."""
        if self._reader is None or self._question is None:
            return
        self._reader.unseen_output = self._question.max_output
        async for data in pieces:
            self._reader.feed(data)
        self._reader.unseen_output = 0

    def held_up(self) -> None:
        """It ends while the box does not read."""
        if self._reader is not None and self._question is not None:
            self._reader.unseen_output = self._question.max_output

    def count(self) -> Count:
        return _NOTHING if self._reader is None else self._reader.result()


@contextlib.contextmanager
def _recorded(ledger: Ledger, settings: ModelSettings, question: Question, attempts: Attempts) -> Iterator[_Passing]:
    """A call in the box's account, however it ends."""
    started, failure = time.monotonic(), None
    passing = _Passing(question, final=ledger.access.max_failures is not None)
    try:
        yield passing
    except BaseException as error:
        failure = str(error) if isinstance(error, GatewayError) else "cut"
        raise
    finally:
        count, model = passing.count(), attempts.model or question.model
        ledger.end(
            Call(
                model=model,
                status=passing.status,
                ms=round((time.monotonic() - started) * 1000),
                tokens=count.tokens,
                estimated=count.estimated,
                cost_usd=cost_of(count, settings.prices.of(model)),
                attempts=attempts.count,
                fallback_from=None if model == question.model else question.model,
                failure=failure,
            )
        )


async def _pass_back(client: Requests, answer: Answer, passing: _Passing) -> None:
    """The answer as it comes: each piece goes on before anything is read in it."""
    passing.begin(answer.head)
    try:
        if answer.head.status_code == 401:  # providers repeat parts of the key in it
            raise CallRefused("the provider does not accept the key of this host; its operator must look", 401, "authentication_error")
        pieces = answer.upstream.body()
        try:
            await client.answer(answer.head.status_code, passing.back(tuple(answer.head.headers.raw_items())), answer.head.reason)
            async for data in pieces:
                try:
                    await client.send(data)
                except asyncio.CancelledError:
                    passing.held_up()
                    raise
                finally:
                    passing.feed(data)  # it has been paid for, whether or not the box still listens
            await client.end()
        except ConnectionError:
            await passing.read_rest(pieces)
            raise
    finally:
        answer.upstream.abort()


@contextlib.asynccontextmanager
async def _bounded(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise UpstreamFailed(f"the call took more than {seconds:g} s in all", 504) from error


async def _refuse(client: Requests, endpoint: Endpoint, error: GatewayError) -> None:
    """In the provider's shape. What we refuse stays refused, so clients are told not to try again."""
    kind = error.kind if isinstance(error, CallRefused) else "invalid_request_error" if error.status < 500 else "api_error"
    final = ((b"x-should-retry", b"false"),) if error.status < 500 else ()
    await client.refuse(error.status, error_body(endpoint.provider, kind, str(error)), final, b"application/json")


def _shown_tokens(request: h11.Request) -> list[bytes]:
    """Whatever the box shows as its key."""
    shown = [value for name, value in request.headers if name == b"x-api-key"]
    bearers = [value for name, value in request.headers if name == b"authorization" and value[:7].lower() == b"bearer "]
    return [*shown, *(value[7:].strip() for value in bearers)]
