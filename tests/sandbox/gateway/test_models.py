"""Model calls: who may make them, what goes out, what comes back."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import gzip
import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr

from sandbox.gateway.authority import Authority
from sandbox.gateway.errors import BadName
from sandbox.gateway.provider import Provider
from tests.sandbox.gateway.conftest import BOX, OpenNet
from tests.sandbox.gateway.outside import Reply, Site, listening
from tests.sandbox.gateway.providers import (
    CHAT,
    GRANT,
    JSON,
    KEY,
    MESSAGES,
    RESPONSES,
    STREAMS,
    TOKEN,
    TOKENS,
    WHOLE,
    desk,
    failing,
    streamed,
    whole,
)

FORMATS = pytest.mark.parametrize("path", [MESSAGES, CHAT, RESPONSES], ids=["messages", "chat", "responses"])


@FORMATS
async def test_real_key_goes_out_and_the_runs_token_does_not(open_net: OpenNet, path: str, capfd: pytest.CaptureFixture[str]) -> None:
    shown = f"Authorization: Bearer {TOKEN}\r\nCookie: a=b\r\nOpenAI-Organization: other\r\nanthropic-beta: x"
    async with desk(open_net, whole(path)) as box:
        told = await box.ask(path, shown)
        assert (told.status, told.body) == (200, WHOLE[path])
        (seen,) = box.seen
        credentials = {"x-api-key": KEY} if path == MESSAGES else {"authorization": f"Bearer {KEY}"}
        names = ("x-api-key", "authorization", "cookie", "openai-organization")
        assert {name: value for name, value in seen.headers if name in names} == credentials
        assert seen.header("anthropic-beta") == "x"
        assert TOKEN not in repr(seen)
        assert KEY not in told.headers + told.body.decode() + "".join(capfd.readouterr()) + repr(box.calls) + repr(GRANT)
        assert TOKEN not in repr(GRANT)


async def test_paths_are_those_of_the_provider(open_net: OpenNet) -> None:
    async with desk(open_net) as box:
        for path in (f"{MESSAGES}?beta=true", CHAT, RESPONSES):
            await box.ask(path)
        assert [seen.target for seen in box.seen] == ["/a/v1/messages?beta=true", "/v1/chat/completions", "/v1/responses"]


async def test_program_that_does_not_heed_no_proxy_is_served_too(open_net: OpenNet) -> None:
    async with desk(open_net) as box:
        assert (await box.ask(f"http://127.0.0.1:3128{MESSAGES}")).status == 200


async def test_request_body_passes_byte_for_byte(open_net: OpenNet) -> None:
    raw = b'{ "model":"big",\n "x": 1.0e0, "y": "\\u00e9" }'
    async with desk(open_net) as box:
        await box.ask(raw=raw)
        await box.ask(raw=gzip.compress(raw), shown=f"x-api-key: {TOKEN}\r\nContent-Encoding: gzip")
        assert [seen.body for seen in box.seen] == [raw, raw]
        assert box.seen[1].header("content-encoding") is None


@FORMATS
@pytest.mark.parametrize("size", [1, 7, 100, 1 << 20])
async def test_stream_passes_byte_for_byte_however_it_is_cut(open_net: OpenNet, path: str, size: int) -> None:
    async with desk(open_net, streamed(path, size)) as box:
        told = await box.ask(path, stream=True)
        assert told.body == STREAMS[path]
        (call,) = box.calls
        assert (call.tokens, call.estimated, call.status, call.failure) == (TOKENS, False, 200, None)


@FORMATS
async def test_usage_and_cost_are_read_from_whole_answers(open_net: OpenNet, path: str) -> None:
    async with desk(open_net, whole(path)) as box:
        await box.ask(path)
        (call,) = box.calls
        assert (call.model, call.tokens, call.attempts) == ("big", TOKENS, 1)
        assert call.cost_usd == pytest.approx((100 * 3 + 20 * 0.3 + 50 * 15) / 1e6)
        usage = box.net.gateway.usage(BOX)
        assert (usage.requests, usage.input_tokens, usage.cached_input_tokens, usage.output_tokens) == (1, 100, 20, 50)
        assert usage.cost_usd == call.cost_usd


async def test_chat_streams_are_asked_for_their_usage(open_net: OpenNet) -> None:
    async with desk(open_net, streamed(CHAT)) as box:
        await box.ask(CHAT, stream=True, stream_options={"include_usage": False, "x": 1})
        assert json.loads(box.seen[0].body)["stream_options"] == {"include_usage": True, "x": 1}


REFUSED_TOKENS = {
    "none": "X-Nothing: 1",
    "wrong": "x-api-key: other",
    "prefix": f"x-api-key: {TOKEN[:-1]}",
    "longer": f"x-api-key: {TOKEN}1",
    "wrong bearer": "Authorization: Bearer other",
    "basic": f"Authorization: Basic {TOKEN}",
    "empty": "x-api-key: ",
    "not ascii": "x-api-key: \xff",
}


@pytest.mark.parametrize("shown", REFUSED_TOKENS.values(), ids=REFUSED_TOKENS.keys())
async def test_wrong_token_is_refused(open_net: OpenNet, shown: str) -> None:
    async with desk(open_net) as box:
        told = await box.ask(shown=shown)
        assert told.status == 401
        assert json.loads(told.body)["error"]["type"] == "authentication_error"
        assert box.seen == []


async def test_expired_grant_is_refused(open_net: OpenNet) -> None:
    grant = replace(GRANT, expires_at=datetime.datetime.now(datetime.UTC))
    async with desk(open_net, grant=grant) as box:
        told = await box.ask()
        assert (told.status, box.seen) == (401, [])
        assert b"expired" in told.body


async def test_box_without_a_grant_is_refused(open_net: OpenNet) -> None:
    async with desk(open_net, grant=None) as box:
        assert ((await box.ask()).status, box.seen) == (403, [])


@FORMATS
async def test_model_outside_the_grant_is_refused_in_the_providers_words(open_net: OpenNet, path: str) -> None:
    async with desk(open_net) as box:
        for model in ("bigger", "Big", "", "big\n", "free"):
            told = await box.ask(path, model=model)
            assert told.status == 404
            error = json.loads(told.body)
            assert error["error"]["type"] == "not_found_error"
            assert ("type" in error) is (path == MESSAGES)
            assert "x-should-retry: false" in told.headers
        assert box.seen == []


PATHS = [
    "/",
    "/anthropic",
    "/anthropic/v1/messages/",
    "/anthropic/v1/messages/../../admin",
    "/anthropic/v1/%6dessages",
    "/anthropic//v1/messages",
]
PATHS += ["/openai/v1/files", "/openai/v1/chat/completions/..", "/anthropic/v1/messages/batches", "/openai/v1/responses/resp_1"]


@pytest.mark.parametrize("path", PATHS)
async def test_other_paths_are_refused(open_net: OpenNet, path: str) -> None:
    async with desk(open_net) as box:
        assert ((await box.ask(path)).status, (await box.get(path)).status) == (404, 404)
        assert box.seen == []


async def test_other_methods_are_refused(open_net: OpenNet) -> None:
    async with desk(open_net) as box:
        assert (await box.get(MESSAGES)).status == 404
        assert (await box.get(MESSAGES, "DELETE")).status == 404
        assert (await box.get(MESSAGES, "HEAD")).status == 404


async def test_models_and_token_counts_are_free(open_net: OpenNet) -> None:
    async with desk(open_net, Reply(200, [b'{"input_tokens":5}'], JSON), grant=replace(GRANT, max_requests=0)) as box:
        assert (await box.get("/anthropic/v1/models")).status == 200
        assert (await box.get("/openai/v1/models")).status == 200
        assert (await box.ask("/anthropic/v1/messages/count_tokens")).body == b'{"input_tokens":5}'
        assert [seen.target for seen in box.seen] == ["/a/v1/models", "/v1/models", "/a/v1/messages/count_tokens"]
        assert box.calls == []


BODIES = {
    "not json": b"model=big",
    "no object": b'["big"]',
    "no model": b"{}",
    "model is no text": b'{"model": ["big"]}',
    "too deep": b"[" * 100_000,
    "model named twice": b'{"model": "big", "model": "huge"}',
    "model named twice, escaped": b'{"model": "big", "mod\\u0065l": "huge"}',
    "model named twice, other case": b'{"Model": "huge", "model": "big"}',
    "tool named twice": b'{"model": "big", "tools": [{"type": "function", "type": "web_search"}]}',
    "utf-16": '{"model": "big"}'.encode("utf-16"),
    "not utf-8": b'{"model": "big", "x": "\xff"}',
    "background": b'{"model": "big", "background": true}',
}


@pytest.mark.parametrize("raw", BODIES.values(), ids=BODIES.keys())
async def test_body_that_cannot_be_checked_is_refused(open_net: OpenNet, raw: bytes) -> None:
    async with desk(open_net) as box:
        assert ((await box.ask(raw=raw)).status, box.seen) == (400, [])


async def test_body_that_is_too_long_is_refused_packed_or_not(open_net: OpenNet) -> None:
    async with desk(open_net, body_bytes=1000) as box:
        assert (await box.ask(x="a" * 1000)).status == 413
        packed = gzip.compress(json.dumps({"model": "big", "x": "a" * 1_000_000}).encode())
        gzipped = f"x-api-key: {TOKEN}\r\nContent-Encoding: gzip"
        assert (await box.ask(raw=packed[:900], shown=gzipped)).status == 413
        assert (await box.ask(raw=b"none", shown=gzipped)).status == 400
        assert (await box.ask(shown=f"x-api-key: {TOKEN}\r\nContent-Encoding: br")).status == 415
        assert box.seen == []


WAYS_AROUND: dict[str, dict[str, Any]] = {
    "web fetch": {"tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}]},
    "web search": {"tools": [{"type": "web_search"}]},
    "remote mcp": {"tools": [{"type": "mcp", "server_url": "https://evil.test"}]},
    "nested tool": {"tools": [{"type": "namespace", "tools": [{"type": "web_search_preview"}]}]},
    "mcp servers": {"mcp_servers": [{"type": "url", "url": "https://evil.test"}]},
    "search options": {"web_search_options": {"x": 1}},
    "image by url": {
        "messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "https://evil.test/?s"}}]}]
    },
    "chat image": {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://evil.test/?s"}}]}]},
    "responses image": {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "HTTPS://evil.test/?s"}]}]},
    "file by url": {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "https://evil.test/?s"}]}]},
}


@pytest.mark.parametrize("body", WAYS_AROUND.values(), ids=WAYS_AROUND.keys())
async def test_provider_is_no_way_around_the_network_policy(open_net: OpenNet, body: dict[str, Any]) -> None:
    async with desk(open_net) as box:
        told = await box.ask(**body)
        assert (told.status, box.seen) == (400, [])
    async with desk(open_net, grant=replace(GRANT, provider_network=True)) as box:
        assert (await box.ask(**body)).status == 200


async def test_what_models_and_tools_say_is_not_taken_for_a_way_around(open_net: OpenNet) -> None:
    body: dict[str, Any] = {
        "tools": [{"name": "f", "input_schema": {"type": "web_search"}}, {"type": "function", "parameters": {"type": "mcp"}}],
        "messages": [
            {"role": "assistant", "content": [{"type": "tool_use", "input": {"type": "url", "url": "https://a.test"}}]},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]},
        ],
    }
    async with desk(open_net) as box:
        assert (await box.ask(**body)).status == 200


async def test_headers_that_name_the_account_do_not_come_back(open_net: OpenNet) -> None:
    headers = [*JSON, ("set-cookie", "a=b"), ("openai-organization", "ours"), ("request-id", "r1")]
    async with desk(open_net, Reply(200, [WHOLE[CHAT]], headers)) as box:
        told = await box.ask(CHAT)
        assert "ours" not in told.headers
        assert "set-cookie" not in told.headers
        assert "request-id: r1" in told.headers


async def test_provider_that_repeats_the_key_is_not_passed_on(open_net: OpenNet) -> None:
    async with desk(open_net, Reply(401, [f'{{"error":{{"message":"Incorrect API key: {KEY}"}}}}'.encode()], JSON)) as box:
        told = await box.ask()
        assert told.status == 401
        assert KEY.encode() not in told.body
        assert box.calls[0].status == 401


async def test_providers_own_errors_pass_unchanged(open_net: OpenNet) -> None:
    reply = failing(400)
    async with desk(open_net, reply) as box:
        told = await box.ask()
        assert (told.status, told.body) == (400, reply.chunks[0])
        assert (box.calls[0].status, box.calls[0].tokens.total, box.calls[0].cost_usd) == (400, 0, 0.0)


@pytest.mark.parametrize("url", ["api.anthropic.com", "ftp://a.test", "https://u:p@a.test", "https://a.test/?x=1", "https:///v1"])
def test_base_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(BadName):
        Provider("openai", url)


@pytest.mark.parametrize(("name", "status"), [("localhost", 200), ("other.test", 502)], ids=["trusted", "certificate of another"])
async def test_provider_must_prove_who_it_is(open_net: OpenNet, authorities: tuple[Authority, Authority], name: str, status: int) -> None:
    site = Site([whole()])
    async with listening(site.serve, authorities[1].context_for(name)) as port:
        providers = {"anthropic": Provider("anthropic", f"https://localhost:{port}", SecretStr(KEY))}
        async with desk(open_net, providers=providers) as box:
            assert (await box.ask()).status == status
    assert len(site.seen) == (status == 200)


async def test_provider_that_cannot_be_reached_is_a_bad_gateway(open_net: OpenNet) -> None:
    async with listening(Site().serve) as port:
        pass  # and now nobody listens there
    providers = {"anthropic": Provider("anthropic", f"http://127.0.0.1:{port}")}
    async with desk(open_net, providers=providers) as box:
        told = await box.ask()
        assert told.status == 502
        assert b"anthropic cannot be reached" in told.body
        assert (box.calls[0].attempts, box.calls[0].status) == (3, 0)


async def test_cut_during_a_call_leaves_nothing_open(open_net: OpenNet) -> None:
    asked = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await asyncio.sleep(60)

    async with listening(silent) as port:
        providers = {"anthropic": Provider("anthropic", f"http://127.0.0.1:{port}")}
        async with desk(open_net, providers=providers) as box, box.stream() as reader:
            await asked.wait()
            await box.net.gateway.cut(BOX)
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            assert (box.calls[0].failure, box.calls[0].status) == ("cut", 0)
