"""The host's end of a link, when the other end is not what it should be: the box dies, the server goes on."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from sandbox.channel import Channel
from sandbox.errors import BadRequest, BoxDead
from sandbox.inbox import wire
from sandbox.link import Callbacks, SupervisorLink


class Peer:
    """A link, and the box's end of it in the hands of an enemy."""

    def __init__(self) -> None:
        ours, self.box = socket.socketpair()
        self.died = asyncio.Event()
        self.connections: list[Channel] = []
        callbacks = Callbacks(died=self.died.set, connected=lambda _service, channel: self.connections.append(channel))
        self.link = SupervisorLink("bx0", callbacks)
        self.link.attach(*[ours.detach()] * 2)
        self.box.setblocking(False)

    async def say(self, *frames: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.box, b"".join(frames))
        await asyncio.sleep(0.01)


@pytest_asyncio.fixture
async def peer() -> AsyncIterator[Peer]:
    made = Peer()
    yield made
    made.link.close()
    made.box.close()


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "negative credit": lambda ident: wire.pack(b"c", ident, b"-9"),
    "credit that was not used": lambda ident: wire.pack(b"c", ident, b"1"),
    "credit that is no number": lambda ident: wire.pack(b"c", ident, b"x"),
    "more data than it may send": lambda ident: wire.pack(b"d", ident, b"x" * (wire.WINDOW // 2), 1) * 3,
    "data on a stream that is none": lambda ident: wire.pack(b"d", ident, b"x", 7),
    "exit code that is no number": lambda ident: wire.pack(b"e", ident, b"\xff"),
    "pid that is no number": lambda ident: wire.pack(b"p", ident, b"-"),
    "limit that is none": lambda _: wire.pack(b"l", 0, b"time"),
    "frame without end": lambda ident: wire.pack(b"d", ident, b"x", 1)[:-1].replace(b"\0\0\0\x01", b"\xff\xff\xff\xff"),
    "connection under a program's id": lambda ident: wire.pack(b"n", ident, b"gateway"),
    "connection of a service with odd letters": lambda _: wire.pack(b"n", wire.CONNECTIONS, b"\xff"),
    "second stream of a connection": lambda _: wire.pack(b"n", wire.CONNECTIONS, b"g") + wire.pack(b"d", wire.CONNECTIONS, b"x", 2),
}


@pytest.mark.parametrize("frames", HOSTILE.values(), ids=HOSTILE.keys())
async def test_box_that_breaks_the_rules_of_the_link_dies(peer: Peer, frames: Callable[[int], bytes]) -> None:
    channel = peer.link.start(b"x", [b"words"])
    await peer.say(frames(channel.ident))
    async with asyncio.timeout(2):
        await peer.died.wait()
    with pytest.raises(BoxDead):
        await channel.wait()
    while await channel.output.read():  # what came before it broke the rules
        pass


async def test_answers_nobody_waits_for_are_passed_over(peer: Peer) -> None:
    await peer.say(wire.pack(b"a", 99, b"1"), wire.pack(b"e", 99, b"0"), wire.pack(b"d", 99, b"x", 1), wire.pack(b"?", 99))
    channel = peer.link.start(b"x", [b"words"])
    await peer.say(wire.pack(b"e", channel.ident, b"3"), wire.pack(b"e", channel.ident, b"4"))
    assert await channel.wait() == 3


async def test_connections_beyond_the_bound_are_cut(peer: Peer) -> None:
    await peer.say(*(wire.pack(b"n", wire.CONNECTIONS + number, b"gateway") for number in range(400)))
    assert len(peer.connections) == 256
    for channel in peer.connections:
        channel.leave()
    await peer.say(wire.pack(b"n", wire.CONNECTIONS + 999, b"gateway"))
    assert len(peer.connections) == 257


async def test_box_that_does_not_read_holds_up_its_writer_and_nobody_else(peer: Peer) -> None:
    channel = peer.link.start(b"x", [b"words"])
    writing = asyncio.create_task(channel.input.write(b"x" * (4 * wire.WINDOW)))
    await asyncio.sleep(0.05)
    assert not writing.done()
    channel.leave()
    await writing


def test_frames_survive_any_cutting() -> None:
    data = b"".join(wire.pack(b"d", number, b"x" * number, 1) for number in range(50))
    for size in (1, 2, 7, 64, 10_000):
        frames = wire.Frames()
        seen = [frame for start in range(0, len(data), size) for frame in frames.feed(data[start : start + size])]
        assert [(frame[2], len(frame[3])) for frame in seen] == [(number, number) for number in range(50)]


async def test_request_that_is_too_long_is_refused(peer: Peer) -> None:
    with pytest.raises(BadRequest, match="200000"):
        peer.link.start(b"x", [b"x" * 300_000])
