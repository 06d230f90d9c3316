"""Clients of a box-review server, async and sync, over its HTTP API.

with Client() as client:                       # BOX_REVIEW_URL and BOX_REVIEW_API_KEY, or Address(...)
    record = client.review("path/to/repository", base="main")
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from pydantic import ValidationError

from box_review.errors import InputError, RequestRejected, ReviewNotFound, ServerUnavailable
from box_review.events import FinishedEvent, ReviewEvent, review_event
from box_review.finding import Severity
from box_review.review import DEFAULT_ROLES, Reviewer, ReviewRecord, ReviewRequest
from box_review.source import Change, Source, find_change, pack

T = TypeVar("T")

CALL_S = 30.0
SILENCE_S = 60.0  # the server sends a sign of life every 15 s
RECONNECTS = 20
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Address:
    """Where a server answers, and the key to it."""

    url: str
    api_key: str = field(repr=False)

    @classmethod
    def from_environment(cls) -> Address:
        """`BOX_REVIEW_URL` and `BOX_REVIEW_API_KEY`. Raises InputError where one is missing or no URL."""
        url, key = os.environ.get("BOX_REVIEW_URL", ""), os.environ.get("BOX_REVIEW_API_KEY", "")
        if not url.startswith(("http://", "https://")):
            raise InputError(f"BOX_REVIEW_URL must be an http or https URL of a server, not {url!r}")
        if not key:
            raise InputError("BOX_REVIEW_API_KEY is not set; the server keeps its key in the file api-key of its data directory")
        return cls(url.rstrip("/"), key)


@dataclass(frozen=True)
class Options:
    """How to review; see `ReviewRequest` for each."""

    roles: tuple[str, ...] = DEFAULT_ROLES
    harness: str = "auto"
    model: str = ""
    fallback_models: tuple[str, ...] = ()
    budget_usd: float | None = None
    reviewers: Mapping[str, Reviewer] = field(default_factory=dict)
    jury: Reviewer = field(default_factory=Reviewer)
    instructions: str = ""
    driver: str = "auto"
    timeout_s: float = 900.0
    max_comments: int = 20
    fail_on: Severity | None = Severity.HIGH
    ignore_paths: tuple[str, ...] = ()

    def request(self, change: Change, source: Source) -> ReviewRequest:
        """The request for a change that was packed. Raises InputError for a value out of bounds."""
        try:
            return ReviewRequest(
                repository=change.name,
                source=source.sha256,
                base_sha=change.base_sha,
                head_sha=change.head_sha,
                title=change.title,
                **self.__dict__,
            )
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            raise InputError(f"{problem['loc'][0]} {problem['input']!r}: {problem['msg']}") from error


Watcher = Callable[[ReviewEvent], None]


class AsyncClient:
    """Talks to one server. All methods raise ServerUnavailable when it does not answer and RequestRejected when it refuses."""

    def __init__(self, address: Address | None = None, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        given = address or Address.from_environment()
        self._url = given.url
        self._http = httpx.AsyncClient(
            base_url=given.url,
            headers={"X-Box-Api-Key": given.api_key},
            timeout=CALL_S,
            transport=transport,
            trust_env=not _is_local(given.url),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._http.aclose()

    async def review(
        self,
        path: str | Path,
        *,
        base: str | None = None,
        head: str | None = None,
        options: Options = Options(),
        on_event: Watcher | None = None,
    ) -> ReviewRecord:
        """Review a change of a local repository, from packing it to the verdict.

        Args:
            path: a git repository or a folder in one.
            base, head: revisions; see `box_review.source.find_change`.
            on_event: called with each event as it comes.

        Raises:
            InputError: the path, a revision or an option cannot be used.
        """
        change = await asyncio.to_thread(find_change, Path(path), base, head)
        return await self.review_change(change, options=options, on_event=on_event)

    async def review_change(
        self,
        change: Change,
        *,
        options: Options = Options(),
        on_event: Watcher | None = None,
    ) -> ReviewRecord:
        """Like `review`, for a change that was found already. A review whose caller is cancelled is cancelled too."""
        return await self._see_through(await self.submit(change, options), on_event)

    async def submit(self, change: Change, options: Options = Options()) -> str:
        """Upload a change and queue its review; returns the review's id."""
        with contextlib.ExitStack() as stack:
            source = await asyncio.to_thread(stack.enter_context, pack(change))
            request = options.request(change, source)
            await self.upload(source)
        creation = asyncio.ensure_future(self.create(request))
        try:
            return await asyncio.shield(creation)
        except asyncio.CancelledError:  # the server may have taken it already
            with contextlib.suppress(Exception):
                await self.cancel(await creation)
            raise

    async def upload(self, source: Source) -> None:
        """Send an archive, unless the server has it."""
        path = f"/v1/sources/{source.sha256}"
        if (await self._attempt("HEAD", path)).status_code != 200:
            await self._call("PUT", path, content=_chunks(source.archive))

    async def create(self, request: ReviewRequest) -> str:
        """Queue a review of an uploaded change; returns its id."""
        answer = await self._call("POST", "/v1/reviews", content=request.model_dump_json(), headers={"Content-Type": "application/json"})
        return str(answer.json()["review_id"])

    async def record(self, review_id: str) -> ReviewRecord:
        """The review as it stands. Raises ReviewNotFound."""
        return ReviewRecord.model_validate_json((await self._call("GET", f"/v1/reviews/{review_id}")).content)

    async def cancel(self, review_id: str) -> ReviewRecord:
        """Stop a review; returns what became of it. Raises ReviewNotFound."""
        return ReviewRecord.model_validate_json((await self._call("DELETE", f"/v1/reviews/{review_id}")).content)

    async def replay(self, review_id: str, *, on_event: Watcher | None = None) -> ReviewRecord:
        """Let the jury measure again what a review rests on, without a model; returns the record of that, a review of its own.

        Raises:
            ReviewNotFound: there is none of this id.
        """
        answer = await self._call("POST", f"/v1/reviews/{review_id}/replay")
        return await self._see_through(str(answer.json()["review_id"]), on_event)

    async def _see_through(self, review_id: str, on_event: Watcher | None) -> ReviewRecord:
        """Wait for its end; a caller who is cancelled cancels it."""
        try:
            return await self.wait(review_id, on_event=on_event)
        except asyncio.CancelledError:
            with contextlib.suppress(Exception):
                await asyncio.shield(self.cancel(review_id))
            raise

    async def wait(self, review_id: str, *, on_event: Watcher | None = None) -> ReviewRecord:
        """Watch a review to its end. Raises ReviewNotFound."""
        async with contextlib.aclosing(self.events(review_id)) as events:
            async for event in events:
                if on_event is not None:
                    on_event(event)
        return await self.record(review_id)

    async def events(self, review_id: str) -> AsyncGenerator[ReviewEvent, None]:
        """Events of a review, the past ones first; goes on after a lost connection; ends with the review."""
        last, lost = "", 0
        while True:
            try:
                # Closed here, not by the collector: that comes when it likes, and then the loop may be over.
                async with contextlib.aclosing(self._stream(review_id, last)) as stream:
                    async for event_id, event in stream:
                        last, lost = event_id, 0
                        yield event
                        if isinstance(event, FinishedEvent):
                            return
                raise httpx.RemoteProtocolError("the stream ended early")
            except (httpx.TransportError, RequestRejected) as error:
                if isinstance(error, RequestRejected) and error.status_code < 500:
                    raise
                lost += 1
                if lost > RECONNECTS:
                    raise ServerUnavailable(f"the server at {self._url} went away during the review {review_id}: {error}") from error
                await asyncio.sleep(min(2.0, 0.1 * 2**lost))

    async def _stream(self, review_id: str, after: str) -> AsyncGenerator[tuple[str, ReviewEvent], None]:
        headers = {"Last-Event-ID": after} if after else {}
        timeout = httpx.Timeout(CALL_S, read=SILENCE_S)
        async with self._http.stream("GET", f"/v1/reviews/{review_id}/events", headers=headers, timeout=timeout) as answer:
            if answer.status_code != 200:
                await answer.aread()
                raise _rejection(answer)
            event_id = after
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    event_id = value
                elif name == "data":
                    yield event_id, review_event.validate_json(value)

    async def _call(self, method: str, path: str, **given: Any) -> httpx.Response:
        answer = await self._attempt(method, path, **given)
        if answer.is_error:
            raise _rejection(answer)
        return answer

    async def _attempt(self, method: str, path: str, **given: Any) -> httpx.Response:
        try:
            answer = await self._http.request(method, path, **given)
        except httpx.TransportError as error:
            raise ServerUnavailable(f"no answer from the server at {self._url}: {error or type(error).__name__}") from error
        if answer.status_code == 401:
            raise _rejection(answer)
        return answer


class Client:
    """The same for programs that are not async: each call waits for its end."""

    def __init__(self, address: Address | None = None, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="box-review", daemon=True)
        self._thread.start()
        try:
            self._client = AsyncClient(address, transport=transport)
        except BaseException:
            self._stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End all connections."""
        self._run(self._client.__aexit__(None, None, None))
        self._stop()

    def review(
        self,
        path: str | Path,
        *,
        base: str | None = None,
        head: str | None = None,
        options: Options = Options(),
        on_event: Watcher | None = None,
    ) -> ReviewRecord:
        """See `AsyncClient.review`."""
        return self._run(self._client.review(path, base=base, head=head, options=options, on_event=on_event))

    def review_change(self, change: Change, *, options: Options = Options(), on_event: Watcher | None = None) -> ReviewRecord:
        """See `AsyncClient.review_change`."""
        return self._run(self._client.review_change(change, options=options, on_event=on_event))

    def record(self, review_id: str) -> ReviewRecord:
        """See `AsyncClient.record`."""
        return self._run(self._client.record(review_id))

    def replay(self, review_id: str, *, on_event: Watcher | None = None) -> ReviewRecord:
        """See `AsyncClient.replay`."""
        return self._run(self._client.replay(review_id, on_event=on_event))

    def cancel(self, review_id: str) -> ReviewRecord:
        """See `AsyncClient.cancel`."""
        return self._run(self._client.cancel(review_id))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        ended = threading.Event()

        async def run() -> T:
            try:
                return await work
            finally:
                ended.set()

        future = asyncio.run_coroutine_threadsafe(run(), self._loop)
        try:
            return future.result()
        except BaseException:  # also Ctrl-C: what runs on the server is cancelled before we go
            future.cancel()
            ended.wait(CALL_S)
            raise

    def _stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_S)
        self._loop.close()


def _is_local(url: str) -> bool:
    """True for this machine: its key and sources must not go through a proxy of the environment."""
    return httpx.URL(url).host in ("localhost", "127.0.0.1", "::1")


async def _chunks(archive: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(archive.open, "rb") as file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            yield chunk


def _rejection(answer: httpx.Response) -> RequestRejected:
    try:
        said = str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        said = f"the server answered {answer.status_code} {answer.reason_phrase}"
        if answer.status_code == 401:  # to HEAD, which has no body
            said = "the server does not know the API key (BOX_REVIEW_API_KEY)"
    kind = ReviewNotFound if answer.status_code == 404 else RequestRejected
    return kind(said, answer.status_code)
