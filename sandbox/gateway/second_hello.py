"""After a HelloRetryRequest a client says hello a second time: that hello must name the same host as the first."""

from __future__ import annotations

from sandbox.gateway.errors import Refused
from sandbox.gateway.hello import HANDSHAKE, NotHello, read_hello

_KINDS = frozenset(range(0x14, 0x18))  # change_cipher_spec, alert, handshake, application_data
_CLIENT_HELLO = 1
_WALKED_BYTES = 1 << 18  # early data may come in between; what a server takes of it is less
_HEAD = 5


class SecondHello:
    """Walks over the records that a client sends, and holds a ClientHello back until it has been read.

    Args:
        host: whom CONNECT named.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self._held = bytearray()
        self._left = 0  # of the record that is passing
        self._walked = 0
        self._over = False

    def feed(self, data: bytes) -> bytes:
        """What may pass of all that was fed. Raises Refused for a hello to another host."""
        if self._over:
            return data
        self._held += data
        passed = bytearray()
        while self._held and not self._over:
            if not self._left and not self._begin():
                break
            piece = self._held[: self._left]
            passed += piece
            del self._held[: len(piece)]
            self._left -= len(piece)
            self._walked += len(piece)
            self._over = self._over or self._walked > _WALKED_BYTES
        return bytes(passed) + (self.rest() if self._over else b"")

    def rest(self) -> bytes:
        """What is still held; nothing more comes, or nothing more is looked at."""
        rest = bytes(self._held)
        self._held.clear()
        return rest

    def _begin(self) -> bool:
        """Look at the head of a record; False if more of it is needed."""
        if len(self._held) < _HEAD + 1:
            return False
        size = int.from_bytes(self._held[3:_HEAD], "big")
        if self._held[0] not in _KINDS or self._held[1] != 3 or not size:
            self._over = True  # not TLS any more; the server will say so
            return True
        if self._held[0] == HANDSHAKE and self._held[_HEAD] == _CLIENT_HELLO and not self._read_hello(size):
            return False
        self._left = _HEAD + size
        return True

    def _read_hello(self, size: int) -> bool:
        """Check what looks like a plain ClientHello; False if more of it is needed."""
        version_at = _HEAD + 4
        if size > 5 and len(self._held) < version_at + 2:
            return False
        if size > 5 and self._held[version_at : version_at + 2] != b"\x03\x03":
            return True  # encrypted, and begins with that byte by chance
        try:
            hello = read_hello(bytes(self._held))
        except NotHello as error:
            raise Refused(self._host, f"unreadable second ClientHello ({error})") from error
        if hello is None:
            return False
        if hello.server_name not in (None, self._host):
            raise Refused(self._host, f"SNI names another host the second time, {hello.server_name}")
        return True
