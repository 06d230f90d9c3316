"""The client leaves nothing of a stream to the garbage collector, which comes when it likes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from box_review import Conclusion, ReviewStatus
from box_review.client import Address, AsyncClient
from box_review.errors import RequestRejected
from box_review.events import FinishedEvent


class Events(httpx.AsyncByteStream):
    """Ends a review, and says more, as a connection that stays open would."""

    closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        event = FinishedEvent(at_s=1.0, status=ReviewStatus.COMPLETED, conclusion=Conclusion.SUCCESS)
        yield f"id: 1\ndata: {event.model_dump_json()}\n\n".encode()
        yield b": still here\n\n"

    async def aclose(self) -> None:
        self.closed = True


def client(stream: Events) -> AsyncClient:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=stream) if request.url.path.endswith("/events") else httpx.Response(404, json={"error": "gone"})

    return AsyncClient(Address("http://127.0.0.1:1", "box_none"), transport=httpx.MockTransport(answer))


async def test_stream_is_closed_once_the_review_is_over() -> None:
    stream = Events()
    async with client(stream) as asked:
        with pytest.raises(RequestRejected, match="gone"):  # of the record, which is asked for afterwards
            await asked.wait("rv-1")
        assert stream.closed


async def test_stream_is_closed_when_its_watcher_fails() -> None:
    def watch(_: object) -> None:
        raise ValueError("no more")

    stream = Events()
    async with client(stream) as asked:
        with pytest.raises(ValueError, match="no more"):
            await asked.wait("rv-1", on_event=watch)
        assert stream.closed
