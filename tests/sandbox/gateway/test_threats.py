"""What a hostile box or server may try against the gateway, one test for each."""

from __future__ import annotations

import asyncio
import datetime
import gzip
import ssl
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from sandbox.gateway.budget import Ledger
from sandbox.gateway.decisions import DecisionLog
from sandbox.gateway.errors import UpstreamFailed
from sandbox.gateway.models import ModelRoutes
from sandbox.gateway.names import Target
from sandbox.gateway.provider import ModelSettings, Provider
from sandbox.gateway.requests import Requests
from sandbox.gateway.settings import Limits
from sandbox.gateway.tasks import in_slot, stop
from sandbox.gateway.upstream import Upstream
from sandbox.gateway.usage import Tokens, UsageReader
from tests.sandbox.gateway.conftest import BOX, Net, OpenNet
from tests.sandbox.gateway.outside import ADDRESS, Reply, Site, listening
from tests.sandbox.gateway.providers import BEGUN, CHAT, GRANT, KEY, MESSAGES, PRICES, RESPONSES, SSE, STREAMS, TOKEN, TOKENS, desk


async def _repeats_its_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that sends the request's head back where headers belong."""
    head = await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + head.replace(b": ", b" ") + b"\r\n")
    await writer.drain()


async def test_key_in_a_malformed_answer_is_not_quoted(open_net: OpenNet, capfd: pytest.CaptureFixture[str]) -> None:
    async with listening(_repeats_its_request) as port:
        providers = {"anthropic": Provider("anthropic", f"http://127.0.0.1:{port}", SecretStr(KEY))}
        async with desk(open_net, providers=providers) as box:
            told = await box.ask()
            assert told.status == 502
            assert KEY not in told.headers + told.body.decode() + repr(box.calls) + "".join(capfd.readouterr())


async def test_secret_in_a_malformed_answer_is_not_quoted(net: Net, capfd: pytest.CaptureFixture[str]) -> None:
    async with listening(_repeats_its_request) as port:
        net.outside.ports[ADDRESS, 80] = port
        answer = await net.say(b"GET http://allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\nX-Key: s3cret\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert "s3cret" not in answer.decode() + repr(net.gateway.decisions(BOX)) + "".join(capfd.readouterr())


def test_rule_of_a_decision_is_bounded() -> None:
    log = DecisionLog(BOX)
    log.refuse(Target("a.test", 443), "x" * 1000)
    assert len(log.latest()[0].rule) == 200


def _in_single_bytes(count: int) -> bytes:
    return b"1\r\na\r\n" * count + b"0\r\n\r\n"


class _Turns:
    """Counts how often the loop came round."""

    def __init__(self) -> None:
        self.count = 0
        self._handle = asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self.count += 1
        self._handle = asyncio.get_running_loop().call_soon(self._turn)

    def stop(self) -> None:
        self._handle.cancel()


class _Lump:
    """A connection on which everything comes at once."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.written: list[bytes] = []

    async def read(self) -> bytes:
        data, self._data = self._data, b""
        return data

    async def write(self, data: bytes) -> None:
        self.written.append(data)

    async def close(self) -> None:
        pass

    def abort(self) -> None:
        pass


async def test_body_in_single_bytes_lets_others_have_their_turn() -> None:
    head = b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n"
    client = Requests(_Lump(head + _in_single_bytes(80_000)), Limits())
    assert await client.next() is not None
    turns = _Turns()
    pieces = [data async for data in client.body()]
    turns.stop()
    assert b"".join(pieces) == b"a" * 80_000
    assert len(pieces) < 40 <= 2 * turns.count


async def test_answer_in_single_bytes_lets_others_have_their_turn() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    upstream = Upstream(_Lump(head + _in_single_bytes(80_000)), 1.0, 65_536)
    await upstream.request(b"GET", b"/", [(b"Host", b"a.test")])
    await upstream.end()
    await upstream.answer()
    turns = _Turns()
    pieces = [data async for data in upstream.body()]
    turns.stop()
    assert b"".join(pieces) == b"a" * 80_000
    assert len(pieces) < 40 <= 2 * turns.count


class _Unread(_Lump):
    """A connection whose other end does not read."""

    async def write(self, data: bytes) -> None:
        await asyncio.Event().wait()


async def test_box_that_does_not_read_hits_the_idle_limit() -> None:
    client = Requests(_Unread(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"), Limits(idle_s=0.01))
    assert await client.next() is not None
    with pytest.raises(ConnectionAbortedError):
        await client.answer(200, [])


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
async def test_body_of_many_tiny_values_is_refused_unread(open_net: OpenNet, packed: bool) -> None:
    raw = b'{"model":"big","messages":[' + b"{}," * 200_000 + b"{}]}"
    shown = f"x-api-key: {TOKEN}" + "\r\nContent-Encoding: gzip" * packed
    async with desk(open_net) as box:
        assert (await box.ask(raw=gzip.compress(raw) if packed else raw, shown=shown)).status == 413
        assert box.seen == []


async def test_refused_calls_use_up_the_requests_of_a_grant(open_net: OpenNet) -> None:
    async with desk(open_net, grant=replace(GRANT, max_requests=2)) as box:
        assert (await box.ask(model="other")).status == 404
        assert (await box.ask(raw=b"[]")).status == 400
        told = await box.ask()
        assert b"2 of 2 requests" in told.body
        assert (box.seen, box.net.gateway.usage(BOX).requests) == ([], 2)


async def test_slot_is_taken_until_the_work_has_ended_although_nobody_waits() -> None:
    slots, release = asyncio.Semaphore(1), asyncio.Event()
    waiting = asyncio.create_task(in_slot(slots, release.wait))
    await asyncio.sleep(0)
    await stop(waiting)
    assert slots.locked()
    release.set()
    assert await in_slot(slots, release.wait)


BYPASSES: dict[str, dict[str, Any]] = {
    "container shell": {"tools": [{"type": "shell", "environment": {"type": "container_auto"}}]},
    "shell without environment": {"tools": [{"type": "shell"}]},
    "shell in other case": {"tools": [{"type": "shell", "environment": {"type": "local", "Type": "container_auto"}}]},
    "advisor": {"tools": [{"type": "advisor_20260301", "model": "huge"}]},
    "unknown tool": {"tools": [{"type": "teleport_1"}]},
    "other case": {"tools": [{"type": "Web_Search"}]},
    "type in other case": {"tools": [{"Type": "web_search"}]},
    "single tool": {"tools": {"type": "web_search"}},
    "type is no text": {"tools": [{"type": ["web_search"]}]},
    "type in a message is no text": {"messages": [{"role": "user", "content": [{"type": {}}]}]},
    "tools in other case": {"tool_choice": {"Tools": [{"type": "web_search"}]}},
    "tools with a long s": {"tool\u017f": [{"type": "web_search"}]},
    "tools among the input": {"input": [{"type": "additional_tools", "tools": [{"type": "mcp"}]}]},
    "input taken for a tool call": {"type": "tool_use", "input": [{"tools": [{"type": "mcp"}]}]},
    "top level in other case": {"Tools": [{"type": "function"}]},
    "fallbacks": {"fallbacks": [{"model": "huge"}]},
    "stored prompt": {"prompt": {"id": "pmpt_1"}},
    "conversation": {"conversation": "conv_1"},
    "container": {"container": "cntr_1"},
}


@pytest.mark.parametrize("body", BYPASSES.values(), ids=BYPASSES.keys())
async def test_what_is_not_known_to_stay_in_the_box_is_refused(open_net: OpenNet, body: dict[str, Any]) -> None:
    async with desk(open_net) as box:
        assert ((await box.ask(RESPONSES, **body)).status, box.seen) == (400, [])


async def test_tools_of_the_known_programs_pass(open_net: OpenNet) -> None:
    kinds = ["custom", "function", "local_shell", "apply_patch", "bash_20250124", "text_editor_20250728", "computer_20250124"]
    kinds += ["memory_20250818", "tool_search_tool_regex_20251119"]
    tools: list[dict[str, Any]] = [{"type": kind, "name": kind} for kind in kinds]
    tools += [{"name": "f", "input_schema": {"type": ["object"], "tools": [{"type": "web_search"}]}}]
    tools += [{"type": "shell", "environment": {"type": "local"}}, {"type": "namespace", "tools": [{"type": "function"}]}]
    extra: dict[str, Any] = {
        "metadata": {"user_id": "x"},
        "thinking": {"type": "enabled"},
        "context_management": {"edits": [{"type": "clear_thinking"}]},
    }
    extra |= {"include": ["reasoning.encrypted_content"], "prompt_cache_key": "x", "conversation": None, "tool_choice": "auto"}
    async with desk(open_net) as box:
        for path in (MESSAGES, CHAT, RESPONSES):
            assert (await box.ask(path, tools=tools, **extra)).status == 200


def test_steps_of_an_answer_are_counted() -> None:
    reader = UsageReader(stream=False, request_bytes=0)
    reader.feed(b'{"usage":{"input_tokens":1,"output_tokens":2,"iterations":[')
    reader.feed(b'{"type":"compaction","input_tokens":50,"output_tokens":7},{"type":"message","input_tokens":1,"output_tokens":2}]}}')
    assert reader.result().tokens == Tokens(input=51, output=9)


async def test_box_that_cuts_the_stream_pays_for_all_of_it(open_net: OpenNet) -> None:
    hung_up = asyncio.Event()
    begun, _, rest = STREAMS[MESSAGES].partition(b"\n\n")

    async def provider(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + begun)
        await hung_up.wait()
        for piece in (b"\n\n", *[b": ping\n\n"] * 20, rest):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.002)

    async with listening(provider) as port:
        providers = {"anthropic": Provider("anthropic", f"http://127.0.0.1:{port}")}
        async with desk(open_net, providers=providers) as box:
            async with box.stream() as reader:
                await reader.readuntil(begun)
            hung_up.set()
            await asyncio.wait({live.task for live in box.net.gateway._live})
            (call,) = box.calls
            assert (call.tokens, call.estimated, call.failure) == (TOKENS, False, "cut")


class _Gone(_Lump):
    """A connection whose other end is gone."""

    async def write(self, data: bytes) -> None:
        raise ConnectionResetError


@pytest.mark.parametrize("kind", [_Gone, _Unread], ids=["gone", "does not read"])
async def test_answer_that_cannot_be_read_to_its_end_costs_what_was_asked_for(kind: type[_Lump]) -> None:
    async with listening(Site([Reply(200, [BEGUN], SSE, "cut")]).serve) as port:
        settings = ModelSettings({"anthropic": Provider("anthropic", f"http://127.0.0.1:{port}")}, PRICES)
        body = b'{"model":"big","stream":true,"max_tokens":5000}'
        head = f"POST {MESSAGES} HTTP/1.1\r\nHost: a.test\r\nx-api-key: {TOKEN}\r\nContent-Length: {len(body)}\r\n\r\n"
        client, ledger = Requests(kind(head.encode() + body), Limits(idle_s=0.05)), Ledger(GRANT)
        request = await client.next()
        assert request is not None
        with pytest.raises((ConnectionError, UpstreamFailed)):
            await ModelRoutes(settings, ssl.create_default_context()).serve(client, request, MESSAGES, ledger)
        (call,) = ledger.calls
        assert (call.tokens.input, call.tokens.output, call.estimated) == (100, 5000, True)


@pytest.mark.parametrize("bound", [{"max_tokens": 1000}, {"max_cost_usd": 1.0}], ids=["tokens", "usd"])
async def test_answer_kept_by_the_provider_hides_nothing_from_a_budget(open_net: OpenNet, bound: dict[str, Any]) -> None:
    async with desk(open_net, grant=replace(GRANT, **bound)) as box:
        assert ((await box.ask(RESPONSES, previous_response_id="resp_1")).status, box.seen) == (400, [])
    async with desk(open_net) as box:
        assert (await box.ask(RESPONSES, previous_response_id="resp_1")).status == 200


async def test_grant_that_expires_while_the_body_comes_is_refused(open_net: OpenNet) -> None:
    async with desk(open_net) as box:
        head = f"POST {MESSAGES} HTTP/1.1\r\nHost: a.test\r\nx-api-key: {TOKEN}\r\nExpect: 100-continue\r\nContent-Length: 15\r\n\r\n"
        async with box.net.client() as (reader, writer):
            writer.write(head.encode())
            await reader.readuntil(b"100")
            ledger = box.net.gateway._boxes[BOX].ledger
            assert ledger is not None
            ledger.access = replace(GRANT, expires_at=datetime.datetime.now(datetime.UTC))
            writer.write(b'{"model":"big"}')
            assert b" 401 " in await reader.readuntil(b"expired")
        assert box.seen == []
