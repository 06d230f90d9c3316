"""Bytes between a descriptor in the box and a stream of the host, with credit both ways."""

from __future__ import annotations

import _socket
import os

from .wire import CHUNK, LAST_WORDS, WINDOW

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Source:
    """Reads a descriptor and gives what it reads to `deliver`, an empty piece at its end.

    Once nobody listens it goes on reading and throws away, so that a program left in the background
    is not killed by its own output.
    """

    def __init__(self, fd: int, deliver: Callable[[bytes], None]) -> None:
        self.fd = fd
        self.credit = WINDOW
        self._deliver = deliver
        self._unheard = False

    @property
    def wants(self) -> bool:
        """True if it may be read now."""
        return self._unheard or self.credit > 0

    def ready(self) -> bool:
        """Read once; False at the end, after which the descriptor is closed."""
        try:
            data = os.read(self.fd, CHUNK if self._unheard else min(CHUNK, self.credit))
        except BlockingIOError:
            return True
        except OSError:  # a terminal whose programs are gone, a connection that was reset
            data = b""
        if not self._unheard:
            self.credit -= len(data)
            self._deliver(data)
        if not data:
            os.close(self.fd)
        return bool(data)

    def last_words(self) -> bool:
        """Deliver what lies in the pipe of a program that has ended, whatever the credit; False at the end of the stream.

        At most `LAST_WORDS`: what a program it left behind goes on writing is not meant.
        """
        left = LAST_WORDS
        while left > 0:
            before = self.credit
            try:
                data = os.read(self.fd, min(CHUNK, left))
            except BlockingIOError:
                return True
            except OSError:
                data = b""
            left -= len(data)
            if not self._unheard:
                self.credit = before - len(data)
                self._deliver(data)
            if not data:
                os.close(self.fd)
                return False
        return True

    def ignore(self) -> None:
        """Nobody listens any more."""
        self._unheard = True


class Sink:
    """Writes what the host sends to a descriptor, and tells `consumed` how much went."""

    def __init__(self, fd: int, consumed: Callable[[int], None], end: Callable[[int], None] = os.close) -> None:
        self.fd = fd
        self._consumed, self._end = consumed, end
        self._waiting = bytearray()
        self._ending = False

    def take(self, data: bytes) -> None:
        """Accept a piece; an empty one ends the stream."""
        self._waiting += data
        self._ending = self._ending or not data

    @property
    def wants(self) -> bool:
        """True if there is something to write, or to close."""
        return bool(self._waiting) or self._ending

    def ready(self) -> bool:
        """Write once; False when it is over, after which the descriptor is closed."""
        try:
            count = os.write(self.fd, self._waiting) if self._waiting else 0
        except BlockingIOError:
            return True
        except OSError:  # nobody reads it: all that comes is taken and lost
            count, self._ending = len(self._waiting), True
        if count:
            del self._waiting[:count]
            self._consumed(count)
        if self._waiting or not self._ending:
            return True
        self._end(self.fd)
        return False


def shut(fd: int, how: int) -> None:
    """Shut a connection down, wherever else its descriptor is open."""
    connection = _socket.socket(fileno=os.dup(fd))
    try:
        connection.shutdown(how)
    except OSError:
        pass  # the other side was faster
    connection.close()


def end_writing(fd: int) -> None:
    """Tell the other side of a connection that nothing more comes, and close this descriptor of it."""
    shut(fd, _socket.SHUT_WR)
    os.close(fd)
