"""A client that says hello twice says it to the same host, however its records are cut."""

from __future__ import annotations

import pytest

from sandbox.gateway.errors import Refused
from sandbox.gateway.hello import NotHello, read_hello
from sandbox.gateway.second_hello import SecondHello
from tests.sandbox.gateway.test_tunnel import _hello

HOST = "allowed.test"
CCS = b"\x14\x03\x03\x00\x01\x01"
EARLY = b"\x17\x03\x03\x00\x20" + b"e" * 32


def in_records(hello: bytes, size: int) -> bytes:
    """The same handshake message in records of at most `size` bytes."""
    message = hello[5:]
    pieces = [message[start : start + size] for start in range(0, len(message), size)]
    return b"".join(b"\x16\x03\x01" + len(piece).to_bytes(2, "big") + piece for piece in pieces)


@pytest.mark.parametrize("between", [b"", CCS, EARLY, CCS + EARLY * 3], ids=["nothing", "ccs", "early data", "both"])
@pytest.mark.parametrize("cut", [1, 3, 7, 100, 10_000])
def test_second_hello_to_another_host_is_refused(between: bytes, cut: int) -> None:
    for second in (_hello("other.test"), in_records(_hello("other.test"), 20)):
        stream = _hello(HOST) + between + second
        walk, passed = SecondHello(HOST), b""
        with pytest.raises(Refused, match="second time"):
            for start in range(0, len(stream), cut):
                passed += walk.feed(stream[start : start + cut])
        assert b"other.test" not in passed


@pytest.mark.parametrize("cut", [1, 3, 7, 100, 10_000])
def test_all_else_passes_as_it_is(cut: int) -> None:
    encrypted = b"\x16\x03\x03\x00\x28" + b"\x01" + b"n" * 39
    stream = _hello(HOST) + CCS + _hello(HOST) + CCS + encrypted + EARLY * 9000 + b"\x15\x03\x03\x00\x02\x01\x00"
    walk = SecondHello(HOST)
    passed = b"".join(walk.feed(stream[start : start + cut]) for start in range(0, len(stream), cut)) + walk.rest()
    assert passed == stream


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01\x00\x00" * 9, in_records(b"\x16\x03\x01\x00\x00" + b"\x01\x00\x40\x00" + b"x" * 200, 1)], ids=["empty", "many"]
)
def test_hello_in_empty_or_countless_records_is_refused(data: bytes) -> None:
    with pytest.raises(NotHello):
        read_hello(data)
