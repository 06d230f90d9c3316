"""The gateway as its host uses it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from dataclasses import replace

import pytest

from sandbox.channel import Channel
from sandbox.errors import BoxNotFound
from sandbox.gateway.access import BoxAccess
from sandbox.gateway.connection import ChannelConnection
from sandbox.gateway.policy import NetworkPolicy
from sandbox.gateway.settings import GatewaySettings, Limits, proxy_env
from sandbox.inbox import wire
from sandbox.link import Callbacks, SupervisorLink
from tests.sandbox.gateway.conftest import BOX, Net, OpenNet
from tests.sandbox.gateway.outside import ADDRESS, Outside

GET = b"GET http://allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\n\r\n"


async def test_connections_of_unknown_boxes_are_cut(net: Net) -> None:
    await net.gateway.detach(BOX)
    assert await net.say(b"") == b""
    with pytest.raises(BoxNotFound):
        net.gateway.decisions(BOX)
    with pytest.raises(BoxNotFound):
        net.gateway.set_policy(BOX, NetworkPolicy())


async def test_boxes_have_policies_and_records_of_their_own(net: Net) -> None:
    net.gateway.attach("box-2", BoxAccess())
    await net.say(GET)
    assert len(net.gateway.decisions(BOX)) == 1
    assert net.gateway.decisions("box-2") == []
    net.gateway.set_policy("box-2", NetworkPolicy(mode="deny-all"))
    assert (await net.say(GET)).startswith(b"HTTP/1.1 200 ")


async def test_box_without_a_policy_reaches_nothing(open_net: OpenNet) -> None:
    async with open_net(access=BoxAccess()) as net:
        assert (await net.say(GET)).startswith(b"HTTP/1.1 403 ")
        assert net.outside.looked_up == []


async def test_cut_ends_all_connections_and_serves_new_ones(net: Net) -> None:
    async with net.tunnel("allowed.test:443") as (reader, _), net.client() as (idle, writer):
        writer.write(GET)
        await idle.readuntil(b"0\r\n\r\n")
        await net.gateway.cut(BOX)
        for cut in (reader, idle):
            with contextlib.suppress(ConnectionError):
                assert await cut.read() == b""
    assert net.gateway.decisions(BOX)[0].rule == "cut"
    assert (await net.say(GET)).startswith(b"HTTP/1.1 200 ")


async def test_box_with_too_many_connections_is_turned_away(open_net: OpenNet) -> None:
    async with open_net(settings=GatewaySettings(limits=Limits(connections=2))) as net:
        async with net.tunnel("allowed.test:443"), net.tunnel("allowed.test:443"):
            with contextlib.suppress(ConnectionError):
                assert await net.say(b"") == b""
        await net.gateway.cut(BOX)
        assert (await net.say(GET)).startswith(b"HTTP/1.1 200 ")


async def test_connection_that_lasts_too_long_is_cut(open_net: OpenNet) -> None:
    async with open_net(settings=GatewaySettings(limits=Limits(total_s=0.1))) as net, net.client() as (reader, _):
        assert await reader.read() == b""


async def test_failure_of_ours_ends_one_connection_alone(open_net: OpenNet) -> None:
    async with open_net(outside=Outside({"allowed.test": [ADDRESS], "broken.test": ["no address"]})) as net:
        assert await net.say(GET.replace(b"allowed.test", b"broken.test")) == b""
        assert (await net.say(GET)).startswith(b"HTTP/1.1 200 ")


async def test_attaching_again_cuts_and_begins_anew(net: Net) -> None:
    async with net.tunnel("allowed.test:443") as (reader, _):
        net.gateway.attach(BOX, BoxAccess())
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
    assert net.gateway.decisions(BOX) == []


async def test_record_is_bounded(net: Net) -> None:
    refused = b"GET http://10.0.0.1/ HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n"
    for _ in range(3):
        await net.say(refused * 400)
    assert len(net.gateway.decisions(BOX)) == 1000


async def test_proxy_environment_leads_here() -> None:
    env = proxy_env()
    assert env["HTTPS_PROXY"] == env["https_proxy"] == "http://127.0.0.1:3128"
    assert env["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:3128/anthropic"
    assert env["OPENAI_BASE_URL"] == "http://127.0.0.1:3128/openai/v1"


class Box:
    """The box's end of a link, speaking frames."""

    def __init__(self, link_end: socket.socket) -> None:
        self._socket = link_end
        self._frames = wire.Frames()
        self._waiting: list[wire.Frame] = []

    async def say(self, kind: bytes, ident: int, payload: bytes = b"", stream: int = 0) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, wire.pack(kind, ident, payload, stream))

    async def hear(self) -> tuple[bytes, bytes]:
        """Kind and payload of the next frame that is not credit."""
        while True:
            while self._waiting:
                kind, _, _, payload = self._waiting.pop(0)
                if kind != b"c":
                    return kind, payload
            self._waiting = list(self._frames.feed(await asyncio.get_running_loop().sock_recv(self._socket, 1 << 16)))


async def test_connections_come_over_the_boxs_own_link(net: Net) -> None:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    link = SupervisorLink(BOX, Callbacks(connected=net.gateway.connected(BOX)))
    fd = ours.detach()
    link.attach(fd, fd)
    box, ident = Box(theirs), wire.CONNECTIONS
    await box.say(b"n", ident, b"gateway")
    await box.say(b"d", ident, GET, wire.STDOUT)
    heard = b""
    while b"hello" not in heard:
        heard += (await box.hear())[1]
    assert heard.startswith(b"HTTP/1.1 200 ")
    await box.say(b"d", ident, b"", wire.STDOUT)
    while (await box.hear())[0] != b"z":
        pass
    link.close()
    theirs.close()


async def test_programs_behind_a_real_supervisor_are_served(net: Net) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    ours, theirs = socket.socketpair()
    link = SupervisorLink(BOX, Callbacks(connected=net.gateway.connected(BOX)))
    fd = ours.detach()
    link.attach(fd, fd)
    start = [sys.executable, "-c", "from sandbox.inbox import start; start.main()", f"{port}=gateway"]
    process = await asyncio.create_subprocess_exec(*start, stdin=theirs.fileno(), stdout=theirs.fileno())
    theirs.close()
    try:
        await link.wait_ready()
        inside = replace(net, port=port)
        assert await inside.curl("http://allowed.test/") == (0, "hello", "")
        assert await inside.curl("https://allowed.test/") == (0, "hello", "")
        assert (await inside.curl("https://10.0.0.1/"))[0] == 56
    finally:
        link.close()
        await process.wait()


async def test_channel_of_a_dead_box_breaks() -> None:
    channels: asyncio.Queue[Channel] = asyncio.Queue()
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    link = SupervisorLink(BOX, Callbacks(connected=lambda _, channel: channels.put_nowait(channel)))
    fd = os.dup(ours.fileno())
    ours.close()
    link.attach(fd, fd)
    await Box(theirs).say(b"n", wire.CONNECTIONS, b"gateway")
    connection = ChannelConnection(await channels.get())
    link.close()
    theirs.close()
    assert await connection.read() == b""
    with pytest.raises(ConnectionError):
        await connection.write(b"x")
    await connection.close()
    connection.abort()
