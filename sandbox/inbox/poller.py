"""Which descriptors are watched, and what to do when one can be read or written."""

from __future__ import annotations

import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Poller:
    """One action for input and one for room, per descriptor."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._ready: dict[int, Callable[[], None]] = {}
        self._writable: dict[int, Callable[[], None]] = {}

    def wait(self) -> None:
        """Wait until something can be done, and do it."""
        for fd, events in self._poll.poll():
            if events & ~select.POLLOUT and fd in self._ready:
                self._ready[fd]()
            if events & ~select.POLLIN and fd in self._writable:
                self._writable[fd]()

    def watch(self, fd: int, action: Callable[[], None]) -> None:
        """Call `action` whenever the descriptor can be read."""
        self._ready[fd] = action
        self._register(fd)

    def forget(self, fd: int) -> None:
        """Stop watching for input."""
        if self._ready.pop(fd, None) is not None:
            self._register(fd)

    def watch_writing(self, fd: int, action: Callable[[], None]) -> None:
        """Call `action` whenever the descriptor can be written."""
        self._writable[fd] = action
        self._register(fd)

    def forget_writing(self, fd: int) -> None:
        """Stop watching for room."""
        if self._writable.pop(fd, None) is not None:
            self._register(fd)

    def _register(self, fd: int) -> None:
        events = (select.POLLIN if fd in self._ready else 0) | (select.POLLOUT if fd in self._writable else 0)
        if events:
            self._poll.register(fd, events)
        else:
            self._poll.unregister(fd)
