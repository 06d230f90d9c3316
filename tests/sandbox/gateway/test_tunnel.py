"""What may go through CONNECT, and that it is not touched."""

from __future__ import annotations

import asyncio
import contextlib
import os
import ssl
import struct

import pytest

from sandbox.gateway.access import BoxAccess
from sandbox.gateway.hello import ALERT, NotHello, read_hello
from sandbox.gateway.policy import NetworkPolicy
from sandbox.gateway.settings import GatewaySettings, Limits
from tests.sandbox.gateway.conftest import BOX, Net, OpenNet
from tests.sandbox.gateway.outside import ADDRESS, Outside, listening


def _hello(server_name: str | None) -> bytes:
    """A real ClientHello."""
    context = ssl.create_default_context()
    context.check_hostname = False
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=server_name).do_handshake()
    return outgoing.read()


def _in_records(hello: bytes, size: int) -> bytes:
    """The same message cut into several TLS records."""
    message = hello[5:]
    pieces = [message[start : start + size] for start in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + struct.pack("!H", len(piece)) + piece for piece in pieces)


def test_server_name_is_read_however_the_hello_is_cut() -> None:
    hello = _hello("Allowed.test")
    for cut in range(len(hello)):
        assert read_hello(hello[:cut]) is None
    for data in (hello, _in_records(hello, 50)):
        found = read_hello(data + b"more")
        assert found is not None
        assert found.server_name == "allowed.test"


def test_hello_without_server_name_names_none() -> None:
    found = read_hello(_hello(None))
    assert found is not None
    assert found.server_name is None


MALFORMED = {
    "http": b"GET / HTTP/1.1\r\n\r\n",
    "ssl 2": b"\x80\x2e\x01\x03\x01" + b"\0" * 60,
    "server hello": b"\x16\x03\x01\x00\x04\x02\0\0\0",
    "application data": b"\x17\x03\x03\x00\x01a",
    "lengths beyond the end": b"\x16\x03\x01\x00\x08\x01\0\0\x04\x03\x03aa",
    "endless": (b"\x16\x03\x01\x00\x04\x01\xff\xff\xff" + b"\x16\x03\x01\x40\x00" + b"a" * 0x4000)
    + b"\x16\x03\x01\x40\x00"
    + b"a" * 0xFFFF,
    "name with nul": _hello("a.test").replace(b"a.test", b"a\0test"),
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_hello_is_refused(data: bytes) -> None:
    with pytest.raises(NotHello):
        read_hello(data)


def test_random_bytes_never_break_the_reader() -> None:
    hello = bytearray(_hello("allowed.test"))
    for place in range(len(hello)):
        for value in (0, 0xFF):
            changed = bytes(hello[:place]) + bytes((value,)) + bytes(hello[place + 1 :])
            with contextlib.suppress(NotHello):
                read_hello(changed)


@pytest.mark.parametrize("port", [443, 80, 8443])
async def test_sni_other_than_the_connect_host_is_refused(open_net: OpenNet, port: int) -> None:
    settings = GatewaySettings(allowed_ports=frozenset({80, 443, 8443}))
    async with open_net(settings=settings) as net:
        reached: list[bytes] = []

        async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            reached.append(await reader.read())

        async with listening(listen) as listener:
            net.outside.ports |= {(ADDRESS, port): listener}
            async with net.tunnel(f"allowed.test:{port}") as (reader, writer):
                writer.write(_hello("evil.test"))
                assert await reader.read() == ALERT
        assert b"".join(reached) == b""
        assert net.gateway.decisions(BOX)[-1].rule == "SNI names another host, evil.test"
        assert net.gateway.decisions(BOX)[-1].outcome == "refused"


async def test_sni_that_comes_in_pieces_is_still_checked(net: Net) -> None:
    async with net.tunnel("allowed.test:443") as (reader, writer):
        for byte in _hello("evil.test"):
            writer.write(bytes((byte,)))
            await writer.drain()
            await asyncio.sleep(0)
        assert await reader.read() == ALERT


async def test_other_bytes_than_tls_are_refused_on_443(net: Net) -> None:
    async with net.tunnel("allowed.test:443") as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: allowed.test\r\n\r\n")
        assert await reader.read() == ALERT
    assert net.gateway.decisions(BOX)[-1].rule == "not TLS"
    assert net.https.seen == []


async def test_plain_http_in_a_tunnel_gets_the_same_checks(net: Net) -> None:
    async with net.tunnel("allowed.test:80") as (reader, writer):
        writer.write(b"GET /x HTTP/1.1\r\nHost: evil.test\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
    assert net.http.seen == []
    async with net.tunnel("allowed.test:80") as (reader, writer):
        writer.write(b"GET /x HTTP/1.1\r\nHost: allowed.test\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.write(b"end")
    writer.write_eof()


async def test_bytes_pass_untouched_and_half_closed_tunnels_go_on(open_net: OpenNet) -> None:
    sent = _hello("allowed.test") + os.urandom(3_000_000)
    async with open_net() as net, listening(_echo) as port:
        net.outside.ports[ADDRESS, 443] = port
        async with net.tunnel("allowed.test:443") as (reader, writer):
            writing = asyncio.ensure_future(_write_all(writer, sent))
            assert await reader.read() == sent + b"end"
            await writing
        await _ended(net)
        decision = net.gateway.decisions(BOX)[-1]
        assert (decision.outcome, decision.sent_bytes, decision.received_bytes) == ("allowed", len(sent), len(sent) + 3)


async def _write_all(writer: asyncio.StreamWriter, data: bytes) -> None:
    for start in range(0, len(data), 100_000):
        writer.write(data[start : start + 100_000])
        await writer.drain()
    writer.write_eof()


async def _ended(net: Net) -> None:
    await net.gateway.cut(BOX)


async def test_server_that_speaks_first_is_heard_on_other_ports(open_net: OpenNet) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello, who are you?")

    settings = GatewaySettings(allowed_ports=frozenset({2525}))
    async with open_net(settings=settings) as net, listening(greet) as port:
        net.outside.ports[ADDRESS, 2525] = port
        async with net.tunnel("allowed.test:2525") as (reader, _):
            assert await reader.read(100) == b"hello, who are you?"


async def test_address_as_connect_host_needs_no_sni(open_net: OpenNet) -> None:
    policy = NetworkPolicy.model_validate({"mode": "custom", "allowed_cidrs": [f"{ADDRESS}/32"]})
    async with open_net(access=BoxAccess(policy), outside=Outside({})) as net, listening(_echo) as port:
        net.outside.ports[ADDRESS, 443] = port
        async with net.tunnel(f"{ADDRESS}:443") as (reader, writer):
            hello = _hello(None)
            writer.write(hello)
            assert await reader.readexactly(len(hello)) == hello


async def test_idle_tunnel_is_cut(open_net: OpenNet) -> None:
    settings = GatewaySettings(limits=Limits(idle_s=0.1))
    async with open_net(settings=settings) as net, net.tunnel("allowed.test:443") as (reader, writer):
        writer.write(_hello("allowed.test")[:20])
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        assert net.gateway.decisions(BOX)[-1].rule == "idle for too long"
