"""Bodies of requests, read by hand: FastAPI would take in all of one before anybody looked at who sends it."""

from __future__ import annotations

from starlette.requests import Request

from bot.errors import Refused


async def whole(request: Request, most_bytes: int, what: str = "this request") -> bytes:
    """A body of at most `most_bytes`. Raises Refused (413) for a longer one as soon as it is."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most_bytes:
            size = f"{most_bytes >> 20} MB" if most_bytes >= 1 << 20 else f"{most_bytes} bytes"
            raise Refused(f"{what} may hold {size} at most", 413)
    return bytes(body)
