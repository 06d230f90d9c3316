"""What a hostile box or server may try against the gateway, one test for each."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import SecretStr

from sandbox.gateway.decisions import DecisionLog
from sandbox.gateway.names import Target
from sandbox.gateway.provider import Provider
from tests.sandbox.gateway.conftest import BOX, Net, OpenNet
from tests.sandbox.gateway.outside import ADDRESS, listening
from tests.sandbox.gateway.providers import KEY, desk


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
