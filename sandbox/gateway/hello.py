"""The first bytes of a TLS connection: whom does the client want to talk to?"""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.gateway.errors import BadName
from sandbox.gateway.names import parse_host

MAX_HELLO_BYTES = 1 << 16
_MAX_RECORDS, _MAX_RECORD_BYTES = 32, 1 << 14
HANDSHAKE = 0x16
ALERT = bytes((0x15, 3, 1, 0, 2, 2, 49))  # fatal, access_denied
_CLIENT_HELLO = 1
_SERVER_NAME = 0


class NotHello(ValueError):
    """These bytes are no ClientHello."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What a ClientHello says.

    Attributes:
        server_name: canonical host name; None if the client names none.
    """

    server_name: str | None


class _Reader:
    """Takes length-prefixed fields off a byte string."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> bytes:
        piece = self._data[self._at : self._at + count]
        if len(piece) < count:
            raise NotHello("a field ends early")
        self._at += count
        return piece

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def field(self, size: int) -> bytes:
        return self.take(self.number(size))

    @property
    def more(self) -> bool:
        return self._at < len(self._data)


def read_hello(data: bytes) -> Hello | None:
    """What the beginning of a connection says; None if more bytes are needed.

    Raises:
        NotHello: it is not TLS, its ClientHello is malformed or too long, or names a host in a doubtful way.
    """
    message = _message(data)
    if message is None:
        return None
    reader = _Reader(message)
    reader.take(2 + 32)  # version, random
    for size in (1, 2, 1):  # session id, cipher suites, compression methods
        reader.field(size)
    if not reader.more:
        return Hello(None)
    extensions = _Reader(reader.field(2))
    names = []
    while extensions.more:
        kind, body = extensions.number(2), extensions.field(2)
        if kind == _SERVER_NAME:
            names.append(_server_name(body))
    if len(names) > 1:
        raise NotHello("two server names")
    return Hello(names[0] if names else None)


def _message(data: bytes) -> bytes | None:
    """The ClientHello without its headers, put together from as many records as it takes."""
    message, at = bytearray(), 0
    for _ in range(_MAX_RECORDS):
        head = data[at : at + 5]
        if head[:1] not in (b"", bytes((HANDSHAKE,))) or head[1:2] not in (b"", b"\x03"):
            raise NotHello("not a TLS handshake")
        size = int.from_bytes(head[3:5], "big")
        if len(head) == 5 and not 0 < size <= _MAX_RECORD_BYTES:
            raise NotHello(f"a record of {size} bytes")
        if len(head) < 5 or len(data) < at + 5 + size:
            if len(data) > MAX_HELLO_BYTES:
                raise NotHello(f"longer than {MAX_HELLO_BYTES} bytes")
            return None
        message += data[at + 5 : at + 5 + size]
        at += 5 + size
        if message[:1] not in (b"", bytes((_CLIENT_HELLO,))):
            raise NotHello("not a ClientHello")
        if len(message) >= 4 and len(message) >= 4 + int.from_bytes(message[1:4], "big"):
            return bytes(message[4 : 4 + int.from_bytes(message[1:4], "big")])
    raise NotHello(f"in more than {_MAX_RECORDS} records")


def _server_name(body: bytes) -> str:
    names = _Reader(_Reader(body).field(2))
    kind, name = names.number(1), names.field(2)
    if kind != 0 or names.more:
        raise NotHello("a server name that is no host name")
    try:
        return parse_host(name.decode("ascii"))
    except (UnicodeDecodeError, BadName) as error:
        raise NotHello("a server name that is no host name") from error
