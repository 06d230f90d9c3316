"""h11 in small steps: however a peer cuts its body, no step holds up the other connections for long."""

from __future__ import annotations

import h11

SLICE = 1 << 14
"""How many bytes h11 is given at once. Heads need it too: h11 looks at their length only when it has too little."""


def joined(http: h11.Connection, first: h11.Data) -> tuple[bytes, bool]:
    """All of a body that lies ready, in one piece, and whether the body ends there.

    Args:
        http: where `first` came from.
        first: its latest event.
    """
    pieces = [bytes(first.data)]
    try:
        while isinstance(event := http.next_event(), h11.Data):
            pieces.append(bytes(event.data))
    except h11.RemoteProtocolError:  # the next call raises it again
        return b"".join(pieces), False
    return b"".join(pieces), isinstance(event, h11.EndOfMessage)
