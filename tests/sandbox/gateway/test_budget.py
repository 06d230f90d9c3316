"""Budgets, retries, fallbacks, and what is written down when calls go wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from sandbox.gateway.errors import BadPrices
from sandbox.gateway.prices import list_prices, read_prices
from sandbox.gateway.usage import Tokens, UsageReader
from tests.sandbox.gateway.conftest import BOX, OpenNet
from tests.sandbox.gateway.outside import Reply
from tests.sandbox.gateway.providers import BEGUN, CHAT, GRANT, MESSAGES, RESPONSES, SSE, STREAMS, desk, failing, streamed, whole

ONE_CALL = {
    "requests": {"max_requests": 1},
    "tokens": {"max_tokens": 170},
    "usd": {"max_cost_usd": 0.001},
}


@pytest.mark.parametrize("path", [MESSAGES, CHAT, RESPONSES], ids=["messages", "chat", "responses"])
@pytest.mark.parametrize("bounds", ONE_CALL.values(), ids=ONE_CALL.keys())
async def test_used_up_budget_is_refused_so_that_programs_stop(open_net: OpenNet, bounds: dict[str, Any], path: str) -> None:
    async with desk(open_net, whole(path), grant=replace(GRANT, **bounds)) as box:
        assert (await box.ask(path)).status == 200
        told = await box.ask(path)
        assert told.status == 400
        assert "budget of this run is used up" in json.loads(told.body)["error"]["message"]
        assert "x-should-retry: false" in told.headers
        assert len(box.seen) == box.net.gateway.usage(BOX).requests == 1


async def test_model_of_unknown_price_is_refused_under_a_usd_budget(open_net: OpenNet) -> None:
    async with desk(open_net, grant=replace(GRANT, max_cost_usd=1)) as box:
        told = await box.ask(model="free-1")
        assert (told.status, box.seen) == (400, [])
        assert b"price" in told.body


@pytest.mark.parametrize("body", [{"service_tier": "priority"}, {"speed": "fast"}], ids=["priority", "fast"])
async def test_surcharge_is_refused_under_a_usd_budget(open_net: OpenNet, body: dict[str, Any]) -> None:
    async with desk(open_net, grant=replace(GRANT, max_cost_usd=1)) as box:
        assert ((await box.ask(**body)).status, box.seen) == (400, [])


async def test_unknown_price_is_said(open_net: OpenNet) -> None:
    async with desk(open_net) as box:
        await box.ask(model="free-1")
        await box.ask(model="big")
        assert [call.cost_usd is None for call in box.calls] == [True, False]
        assert box.net.gateway.usage(BOX).cost_usd is None


async def test_stream_without_usage_is_estimated_and_counts(open_net: OpenNet) -> None:
    reply = Reply(200, [b'data: {"type":"content_block_delta"}\n\n'] * 30, SSE)
    async with desk(open_net, reply, grant=replace(GRANT, max_tokens=30)) as box:
        await box.ask(stream=True)
        assert box.calls[0].estimated
        assert box.calls[0].tokens.output == 30
        assert (await box.ask(stream=True)).status == 400


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 529])
async def test_overloaded_provider_is_asked_again(open_net: OpenNet, status: int) -> None:
    async with desk(open_net, failing(status), failing(status), whole()) as box:
        assert (await box.ask()).status == 200
        assert (len(box.seen), box.calls[0].attempts, box.calls[0].status) == (3, 3, 200)
        assert box.net.gateway.usage(BOX).requests == 1


@pytest.mark.parametrize("status", [400, 403, 404, 413])
async def test_final_errors_are_not_tried_again(open_net: OpenNet, status: int) -> None:
    async with desk(open_net, failing(status)) as box:
        assert ((await box.ask()).status, len(box.seen)) == (status, 1)


async def test_retry_after_counts_and_not_our_own_pause(open_net: OpenNet) -> None:
    async with desk(open_net, failing(429, retry_after="0.01"), whole(), backoff_s=1000, longest_wait_s=2000) as box:
        assert (await box.ask()).status == 200


@pytest.mark.parametrize("told", ["3600", "Fri, 31 Dec 2199 23:59:59 GMT"])
async def test_long_retry_after_is_passed_on_and_not_waited_for(open_net: OpenNet, told: str) -> None:
    async with desk(open_net, failing(429, retry_after=told)) as box:
        answer = await box.ask()
        assert (answer.status, len(box.seen)) == (429, 1)
        assert f"retry-after: {told.lower()}" in answer.headers


async def test_last_error_is_the_providers_own(open_net: OpenNet) -> None:
    async with desk(open_net, failing(529)) as box:
        told = await box.ask()
        assert (told.status, len(box.seen)) == (529, 3)
        assert b"upstream says so" in told.body
        assert box.calls[0].status == 529


async def test_next_model_answers_when_the_first_stays_overloaded(open_net: OpenNet) -> None:
    grant = replace(GRANT, fallback_models=("big", "small"))
    async with desk(open_net, *[failing(529)] * 3, whole(), grant=grant) as box:
        assert (await box.ask(max_tokens=5)).status == 200
        assert [json.loads(seen.body)["model"] for seen in box.seen] == ["big", "big", "big", "small"]
        assert json.loads(box.seen[3].body)["max_tokens"] == 5
        (call,) = box.calls
        assert (call.model, call.fallback_from, call.attempts) == ("small", "big", 4)
        assert call.cost_usd == pytest.approx((120 * 1 + 50 * 5) / 1e6)


async def test_usd_budget_skips_fallbacks_of_unknown_price(open_net: OpenNet) -> None:
    grant = replace(GRANT, fallback_models=("free-1",), max_cost_usd=1)
    async with desk(open_net, failing(529), grant=grant) as box:
        assert (await box.ask()).status == 529
        assert len(box.seen) == 3


async def test_connection_that_breaks_before_the_answer_is_tried_again(open_net: OpenNet) -> None:
    async with desk(open_net, Reply(ending="nothing"), Reply(ending="nothing"), whole()) as box:
        assert (await box.ask()).status == 200
        assert len(box.seen) == 3


async def test_answer_that_has_begun_is_not_asked_for_twice(open_net: OpenNet) -> None:
    async with desk(open_net, Reply(200, [], ending="cut"), whole()) as box:
        assert (await box.ask()).status == 200
        assert len(box.seen) == 1
        assert box.calls[0].failure is not None


async def test_provider_that_breaks_off_without_an_answer_is_a_bad_gateway(open_net: OpenNet) -> None:
    async with desk(open_net, Reply(ending="nothing")) as box:
        told = await box.ask()
        assert told.status == 502
        assert json.loads(told.body)["error"]["type"] == "api_error"
        assert (box.calls[0].status, box.calls[0].attempts) == (0, 3)


async def test_stalled_provider_hits_the_idle_limit(open_net: OpenNet) -> None:
    async with desk(open_net, Reply(200, [BEGUN], SSE, "stall"), idle_s=0.6) as box:
        told = await box.ask(stream=True)
        assert told.body.startswith(BEGUN)
        assert box.calls[0].failure == "the server was silent for 0.6 s"
        assert box.calls[0].estimated


async def test_provider_that_never_answers_is_given_up(open_net: OpenNet) -> None:
    async with desk(open_net, Reply(200, [b"x" * 10], ending="stall"), total_s=0.2) as box:
        await box.ask()
        assert "in all" in (box.calls[0].failure or "")


async def test_cut_stream_is_recorded_and_not_passed_off_as_whole(open_net: OpenNet) -> None:
    async with desk(open_net, Reply(200, [BEGUN], SSE, "cut")) as box:
        async with box.stream() as reader:
            assert not (await reader.read()).endswith(b"0\r\n\r\n")
        (call,) = box.calls
        assert call.estimated
        assert call.tokens.input == 100
        assert "broke" in (call.failure or "")


async def test_box_that_hangs_up_is_still_charged(open_net: OpenNet) -> None:
    async with desk(open_net, Reply(200, [BEGUN], SSE, "stall")) as box:
        async with box.stream() as reader:
            await reader.readuntil(BEGUN)
        await box.net.gateway.cut(BOX)
        (call,) = box.calls
        assert (call.failure, call.tokens.input) == ("cut", 100)


def _count(stream: bool, *pieces: bytes, request_bytes: int = 400) -> tuple[Tokens, bool]:
    reader = UsageReader(stream, request_bytes)
    for piece in pieces:
        reader.feed(piece)
    count = reader.result()
    return count.tokens, count.estimated


USELESS = {
    "not json": b'data: {"usage": nonsense\n\n',
    "usage is no object": b'data: {"type":"message_delta","usage":[1]}\n\n',
    "too deep": b'data: {"usage":' + b"[" * 100_000 + b"\n\n",
    "no events": b": ping\n\n",
}


@pytest.mark.parametrize("data", USELESS.values(), ids=USELESS.keys())
def test_useless_usage_is_estimated(data: bytes) -> None:
    tokens, estimated = _count(True, data)
    assert estimated
    assert tokens.input == 100


def test_hostile_numbers_do_not_lower_the_account() -> None:
    tokens, _ = _count(False, b'{"usage":{"input_tokens":-5,"output_tokens":"7","cache_read_input_tokens":1e3}}')
    assert tokens == Tokens()
    tokens, _ = _count(False, b'{"usage":{"prompt_tokens":5,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":50}}}')
    assert tokens == Tokens(input=0, cached_input=5, output=1)


def test_line_endings_of_both_kinds_are_read() -> None:
    data = STREAMS[MESSAGES].replace(b"\n", b"\r\n")
    assert _count(True, data) == _count(True, STREAMS[MESSAGES])


def test_last_line_without_an_end_is_read() -> None:
    assert _count(True, STREAMS[RESPONSES].rstrip(b"\n")) == _count(True, STREAMS[RESPONSES])


def test_answer_beyond_all_bounds_is_estimated() -> None:
    tokens, estimated = _count(False, *[b"x" * (1 << 20)] * 20)
    assert estimated
    assert tokens.output == (20 << 20) // 4


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("claude-sonnet-4-5", True),
        ("claude-sonnet-4-5-20250929", True),
        ("claude-sonnet-4-5@20250929", True),
        ("gpt-4o-2024-08-06", True),
        ("claude-sonnet-5-5-latest", True),
        ("gpt-5-pro", False),
        ("gpt-5.9", False),
        ("claude-opus-5-6", False),
        ("claude-sonnet-4-59", False),
        ("", False),
    ],
)
def test_price_is_known_of_named_models_and_their_dated_forms(model: str, known: bool) -> None:
    assert (list_prices().of(model) is not None) is known


def test_long_prompts_and_long_caching_cost_more() -> None:
    haiku = list_prices().of("claude-haiku-5-5")
    assert haiku is not None
    assert haiku.of(Tokens(input=100_000)) == pytest.approx(0.01)
    assert haiku.of(Tokens(input=100_000, cached_input=1)) == pytest.approx(0.05, rel=1e-4)
    opus = list_prices().of("claude-opus-5-5")
    assert opus is not None
    assert opus.of(Tokens(cache_write=2_000_000, cache_write_1h=1_000_000)) == pytest.approx(5 + 8)


def test_caching_for_an_hour_is_read_from_the_answer() -> None:
    usage = b'{"usage":{"input_tokens":1,"cache_creation_input_tokens":9,"cache_creation":{"ephemeral_1h_input_tokens":4}}}'
    assert _count(False, usage)[0] == Tokens(input=1, cache_write=9, cache_write_1h=4)


def test_own_tables_may_cover_families() -> None:
    prices = read_prices('["local-*"]\ninput = 0\noutput = 0\n["local-big"]\ninput = 2\noutput = 1e6\n')
    assert prices.of("local-x") == prices.by_model["local-*"]
    assert prices.of("local-big") == prices.by_model["local-big"]


@pytest.mark.parametrize("toml", ["x", "[a]\ninput = 1", "[a]\ninput = -1\noutput = 1", "[a]\ninput = 1\noutput = 1\nimage = 1"])
def test_price_table_that_is_none_is_refused(toml: str) -> None:
    with pytest.raises(BadPrices):
        read_prices(toml)


async def test_stream_passes_on_before_it_has_ended(open_net: OpenNet) -> None:
    async with desk(open_net, Reply(200, [BEGUN], SSE, "stall")) as box, box.stream() as reader:
        await reader.readuntil(BEGUN)


async def test_streams_are_counted_in_every_format(open_net: OpenNet) -> None:
    for path in (MESSAGES, CHAT, RESPONSES):
        async with desk(open_net, streamed(path, 3), grant=replace(GRANT, max_tokens=170)) as box:
            assert [(await box.ask(path, stream=True)).status for _ in range(2)] == [200, 400]
