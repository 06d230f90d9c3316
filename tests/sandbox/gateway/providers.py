"""A model provider of our own, answering in the three wire formats."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from pydantic import SecretStr

from sandbox.gateway.access import BoxAccess
from sandbox.gateway.budget import Call, ModelAccess
from sandbox.gateway.policy import NetworkPolicy
from sandbox.gateway.prices import Prices, read_prices
from sandbox.gateway.provider import ModelSettings, Provider
from sandbox.gateway.usage import Tokens
from tests.sandbox.gateway.conftest import BOX, Net, OpenNet
from tests.sandbox.gateway.outside import Reply, Seen, Site, listening

TOKEN, KEY = "run-token-1", "sk-real-key"
MESSAGES, CHAT, RESPONSES = "/anthropic/v1/messages", "/openai/v1/chat/completions", "/openai/v1/responses"
PRICES: Prices = read_prices(
    '["big"]\ninput = 3.0\ncached_input = 0.3\ncache_write = 3.75\noutput = 15.0\n["small"]\ninput = 1.0\noutput = 5.0\n'
)
GRANT = ModelAccess(TOKEN, ("big", "small", "free-*"), datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1))
TOKENS = Tokens(input=100, cached_input=20, cache_write=0, output=50)
SSE = (("content-type", "text/event-stream; charset=utf-8"),)
JSON = (("content-type", "application/json"),)


def _events(*events: dict[str, object], done: bytes = b"") -> bytes:
    return b"".join(f"event: {event.get('type', 'x')}\ndata: {json.dumps(event)}\n\n".encode() for event in events) + done


ANTHROPIC_USAGE = {"input_tokens": 100, "cache_read_input_tokens": 20, "cache_creation_input_tokens": 0, "output_tokens": 50}
CHAT_USAGE = {"prompt_tokens": 120, "completion_tokens": 50, "total_tokens": 170, "prompt_tokens_details": {"cached_tokens": 20}}
RESPONSES_USAGE = {"input_tokens": 120, "output_tokens": 50, "total_tokens": 170, "input_tokens_details": {"cached_tokens": 20}}
STREAMS = {
    MESSAGES: _events(
        {"type": "message_start", "message": {"id": "m", "usage": ANTHROPIC_USAGE | {"output_tokens": 1}}},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": 'grüße, "usage": {"output_tokens": 9}'}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 50}},
        {"type": "message_stop"},
    ),
    CHAT: _events(
        {"choices": [{"delta": {"content": "hi"}}], "usage": None},
        {"choices": [], "usage": CHAT_USAGE},
        done=b"data: [DONE]\n\n",
    ),
    RESPONSES: _events(
        {"type": "response.created", "response": {"usage": None}},
        {"type": "response.output_text.delta", "delta": "hi"},
        {"type": "response.completed", "response": {"usage": RESPONSES_USAGE}},
    ),
}
BEGUN = STREAMS[MESSAGES].partition(b"\n\n")[0] + b"\n\nevent: content"
WHOLE = {
    MESSAGES: json.dumps({"type": "message", "content": [], "usage": ANTHROPIC_USAGE}).encode(),
    CHAT: json.dumps({"object": "chat.completion", "choices": [], "usage": CHAT_USAGE}).encode(),
    RESPONSES: json.dumps({"object": "response", "output": [], "usage": RESPONSES_USAGE}).encode(),
}


def whole(path: str = MESSAGES) -> Reply:
    """A good answer in one piece."""
    return Reply(200, [WHOLE[path]], JSON)


def streamed(path: str, size: int = 1 << 20, ending: str = "end") -> Reply:
    """A good answer as events, sent in pieces of `size` bytes."""
    data = STREAMS[path]
    return Reply(200, [data[start : start + size] for start in range(0, len(data), size)], SSE, ending)


def failing(status: int, **headers: str) -> Reply:
    """A provider's error."""
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return Reply(status, [b'{"type":"error","error":{"type":"overloaded_error","message":"upstream says so"}}'], [*JSON, *named])


@dataclass
class Told:
    """What a box was answered."""

    status: int
    headers: str
    body: bytes


@dataclass
class Desk:
    """A box that calls models.

    Attributes:
        net: its way out.
        site: both providers.
    """

    net: Net
    site: Site

    @property
    def seen(self) -> list[Seen]:
        """What the providers got."""
        return self.site.seen

    @property
    def calls(self) -> list[Call]:
        """What was written down."""
        return self.net.gateway.calls(BOX)

    async def ask(self, path: str = MESSAGES, shown: str = f"x-api-key: {TOKEN}", raw: bytes | None = None, **body: object) -> Told:
        """Call a model."""
        data = raw if raw is not None else json.dumps({"model": "big", "messages": []} | body).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:3128\r\nConnection: close\r\n{shown}\r\nContent-Length: {len(data)}\r\n\r\n"
        return _told(await self.net.say(head.encode() + data))

    @contextlib.asynccontextmanager
    async def stream(self) -> AsyncIterator[asyncio.StreamReader]:
        """Ask for a stream, and hang up at the end of the block."""
        body = b'{"model":"big","stream":true}'
        head = f"POST {MESSAGES} HTTP/1.1\r\nHost: 127.0.0.1:3128\r\nx-api-key: {TOKEN}\r\nContent-Length: {len(body)}\r\n\r\n"
        async with self.net.client() as (reader, writer):
            writer.write(head.encode() + body)
            yield reader

    async def get(self, path: str, method: str = "GET") -> Told:
        """Ask for a path."""
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:3128\r\nConnection: close\r\nx-api-key: {TOKEN}\r\n\r\n"
        return _told(await self.net.say(head.encode()))


def _told(answer: bytes) -> Told:
    head, _, body = answer.partition(b"\r\n\r\n")
    headers = head.decode("latin-1").lower()
    if "transfer-encoding: chunked" in headers:
        body = _dechunked(body)
    return Told(int(head.split(b" ")[1]), headers, body)


def _dechunked(data: bytes) -> bytes:
    whole = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        whole, data = whole + data[: int(size, 16)], data[int(size, 16) + 2 :]
    return whole


@contextlib.asynccontextmanager
async def desk(open_net: OpenNet, *replies: Reply, grant: ModelAccess | None = GRANT, **patience: object) -> AsyncIterator[Desk]:
    """A box with a grant, and providers that answer with `replies` in turn."""
    site = Site(list(replies) or [whole()])
    async with listening(site.serve) as port:
        key = SecretStr(KEY)
        providers = {
            "anthropic": Provider("anthropic", f"http://127.0.0.1:{port}/a", key),
            "openai": Provider("openai", f"http://127.0.0.1:{port}", key),
        }
        settings = replace(ModelSettings(providers, PRICES, backoff_s=0.001), **patience)  # type: ignore[arg-type]
        access = BoxAccess(NetworkPolicy(mode="deny-all"), models=grant)
        async with open_net(access=access, models=settings) as net:
            yield Desk(net, site)
