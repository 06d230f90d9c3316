"""What a hostile box or server may try against the gateway, one test for each."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import SecretStr

from sandbox.gateway.decisions import DecisionLog
from sandbox.gateway.names import Target
from sandbox.gateway.provider import Provider
from sandbox.gateway.requests import Requests
from sandbox.gateway.settings import Limits
from sandbox.gateway.upstream import Upstream
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
