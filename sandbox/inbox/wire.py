"""The words between a host and the supervisor of a box, both ways over one byte stream.

A frame is a kind (one letter), a stream number, an id and a payload. Ids name what a frame belongs
to: a program the host started (below `CONNECTIONS`), a connection that a program in the box opened
to the gateway (from there on), or one that the host opened to a port of the box (from `VISITS` on).
Streams of a program are stdin 0, stdout 1, stderr 2; of a connection, 0 leads into the box and 1 out
of it. Words within a payload are joined by NUL.

    host to box                                      box to host
    x  start a program: tty cwd n arg… n env…        !  ready (id 0)
    f  a file operation, see `files`                 e  a program ended: exit code, or minus the signal
    k  kill all that a program started               a  answer to q: a number
    s  signal its process group: number              n  a program in the box opens a connection: its service
    w  its terminal's window: ROWSxCOLS
    q  a question, see `supervisor.ANSWERS`
    o  open a connection to a port: its number       p  a program was started: its pid in the box; a port was open: 1
                                                     l  a limit was hit: its name (id 0)
    z  nobody listens to this id any more            z  the same
    d  data; an empty payload ends the stream        d  the same
    c  credit: that many more bytes may be sent      c  the same

A sender starts every stream with `WINDOW` bytes of credit and waits when it has none, so one
reader that sleeps holds up nobody else. What a program has left in its pipes comes before its `e`, up to `LAST_WORDS`.

Runs in the box too, on Python 3.8 or newer and the standard library alone.
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False  # as in `typing`, which would cost every box 4 ms
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NamedTuple

    class Frame(NamedTuple):
        """One frame."""

        kind: bytes
        stream: int
        ident: int
        payload: bytes


STDIN, STDOUT, STDERR = 0, 1, 2
CONNECTIONS = 1 << 31
VISITS = 3 << 30
WINDOW = 1 << 19
CHUNK = 1 << 17
LAST_WORDS = 1 << 16
"""What a pipe holds: a program that has ended may have left that much in each, which is sent without credit."""
MAX_PAYLOAD = 1 << 20
_HEADER = struct.Struct("!cBII")


class BadFrame(ValueError):
    """The other side does not speak this language."""


def pack(kind: bytes, ident: int, payload: bytes = b"", stream: int = 0) -> bytes:
    """One frame as bytes."""
    return _HEADER.pack(kind, stream, ident, len(payload)) + payload


class Frames:
    """Takes a byte stream in pieces of any size and gives the frames in it."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete now, as (kind, stream, id, payload). Raises BadFrame."""
        self._rest += data
        start, end = 0, len(self._rest)
        try:
            while end - start >= _HEADER.size:
                kind, stream, ident, size = _HEADER.unpack_from(self._rest, start)
                if size > MAX_PAYLOAD:
                    raise BadFrame("a frame of %d bytes" % size)
                body = start + _HEADER.size
                if body + size > end:
                    break
                start = body + size
                yield kind, stream, ident, bytes(self._rest[body:start])  # type: ignore[misc]
        finally:
            del self._rest[:start]
