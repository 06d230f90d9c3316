"""The box's loopback: ports on which programs reach the host, and connections of the host to ports of programs."""

from __future__ import annotations

import _socket
import errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .poller import Poller

_PLACES = (("127.0.0.1", _socket.AF_INET), ("::1", _socket.AF_INET6))  # a server may listen on either


class Doors:
    """Opens connections without waiting; `opened` is called with an id and its descriptor, or -1 where nobody listens."""

    def __init__(self, poller: Poller, opened: Callable[[int, int], None]) -> None:
        self._poller, self._opened = poller, opened
        self._opening: dict[int, _socket.socket] = {}

    def listen(self, port: int, arrived: Callable[[int], None]) -> None:
        """Take connections of programs in the box; `arrived` gets the descriptor of each."""
        listener = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
        listener.setsockopt(_socket.SOL_SOCKET, _socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
        listener.setblocking(False)

        def accept() -> None:
            try:
                fd, _ = listener._accept()  # type: ignore[attr-defined]
            except OSError:
                return  # it is gone already, or there are too many
            arrived(fd)

        self._poller.watch(listener.fileno(), accept)

    def open(self, ident: int, port: int, places: Sequence[tuple[str, int]] = _PLACES) -> None:
        """Connect to the first place that answers."""
        if not places:
            self._opened(ident, -1)
            return
        (host, family), rest = places[0], places[1:]
        try:
            door = _socket.socket(family, _socket.SOCK_STREAM)
            door.setblocking(False)
            refused = door.connect_ex((host, port))
        except OSError:  # no such kind of address here
            self.open(ident, port, rest)
            return
        if refused == errno.EINPROGRESS:
            self._opening[ident] = door
            self._poller.watch_writing(door.fileno(), lambda: self._decide(ident, port, rest))
        else:
            self._answer(ident, door, refused, port, rest)

    def close(self, ident: int) -> None:
        """Nobody waits for it any more."""
        door = self._opening.pop(ident, None)
        if door is not None:
            self._poller.forget_writing(door.fileno())
            door.close()

    def close_all(self) -> None:
        """Nobody waits for any of them."""
        for ident in list(self._opening):
            self.close(ident)

    def _decide(self, ident: int, port: int, rest: Sequence[tuple[str, int]]) -> None:
        door = self._opening.pop(ident)
        self._poller.forget_writing(door.fileno())
        self._answer(ident, door, door.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR), port, rest)

    def _answer(self, ident: int, door: _socket.socket, refused: int, port: int, rest: Sequence[tuple[str, int]]) -> None:
        if refused:
            door.close()
            self.open(ident, port, rest)
        else:
            self._opened(ident, door.detach())
