"""What the ASGI middleware and the httpx hooks observe, and that they change nothing of what passes."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import httpx
import pytest
from box_review.agent_server import AgentServers
from box_review.agent_server.asgi import Observing, Scope, header
from box_review.agent_server.httpx_hook import observing, observing_async
from box_review.agent_server.observation import Body, Observation, told
from box_review.client import Address
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import StreamingResponse


class Noted(AgentServers):
    """Keeps what is observed in this process."""

    def __init__(self) -> None:
        super().__init__(address=Address("http://127.0.0.1:9", "box_none"))
        self.noted: list[tuple[str, Any, Any, Mapping[str, Any]]] = []
        self.observer.observe = self._note  # type: ignore[method-assign]

    def _note(self, tenant: str, request: Body, response: Body = None, metadata: Mapping[str, Any] | None = None) -> bool:
        kept = told(Observation(request, response))
        self.noted.append((tenant, kept["request"], kept["response"], metadata or {}))
        return True


@pytest.fixture
def servers() -> Noted:
    return Noted()


def service(servers: Noted, tenant: Callable[[Scope], str] = lambda scope: header(scope, "x-customer"), **more: Any) -> FastAPI:
    app = FastAPI()
    app.add_middleware(Observing, servers=servers, tenant=tenant, **more)

    @app.post("/echo")
    async def echo(request: Request) -> dict[str, Any]:
        return {"you said": (await request.body()).decode()}

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(100):
                yield b"x" * 1000

        return StreamingResponse(pieces())

    @app.get("/missing")
    async def missing() -> None:
        raise HTTPException(404, "not here")

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("it broke")

    return app


def client(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://service")


async def test_request_and_response_are_observed_as_they_were(servers: Noted) -> None:
    async with client(service(servers)) as http:
        answer = await http.post("/echo?page=2", content="hello", headers={"X-Customer": "c1"})
        assert answer.json() == {"you said": "hello"}
    [(tenant, request, response, about)] = servers.noted
    assert (tenant, request, response) == ("c1", "hello", '{"you said":"hello"}')
    assert {name: about[name] for name in ("method", "path", "status")} == {"method": "POST", "path": "/echo", "status": 200}


async def test_long_stream_passes_whole_and_is_kept_in_part(servers: Noted) -> None:
    async with client(service(servers)) as http:
        assert len((await http.get("/stream", headers={"X-Customer": "c1"})).content) == 100_000
    assert servers.noted[0][2] == "x" * 8192 + " [… of 100000]"


@pytest.mark.parametrize(("path", "status"), [("/missing", 404), ("/broken", 500), ("/nowhere", 404)])
async def test_failures_are_observed_and_stay_what_they_are(servers: Noted, path: str, status: int) -> None:
    async with client(service(servers)) as http:
        assert (await http.get(path, headers={"X-Customer": "c1"})).status_code == status
    assert [about["status"] for _, _, _, about in servers.noted] == [status]


def cannot_tell(scope: Scope) -> str:
    raise KeyError("tenant")


@pytest.mark.parametrize(
    "more",
    [{}, {"tenant": cannot_tell}, {"observes": lambda scope: scope["path"] != "/echo", "tenant": lambda _: "c1"}],
    ids=["nobody", "error", "not wanted"],
)
async def test_what_is_nobodys_or_not_wanted_passes_unobserved(servers: Noted, more: dict[str, Any]) -> None:
    async with client(service(servers, **more)) as http:
        assert (await http.post("/echo", content="hello")).status_code == 200
    assert servers.noted == []


def elsewhere(request: httpx.Request) -> httpx.Response:
    if request.url.path == "/packed":
        return httpx.Response(200, headers={"content-encoding": "gzip"}, stream=Pieces(gzip.compress(b"packed words")))
    if request.url.path == "/odd":
        return httpx.Response(200, headers={"content-encoding": "br"}, stream=Pieces(b"??"))
    return httpx.Response(201, stream=Pieces(b"an", b"swer"))


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces

    def __iter__(self) -> Any:
        return iter(self._pieces)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


def test_calls_of_an_httpx_client_are_observed_when_they_end(servers: Noted) -> None:
    hooks = {"response": [observing(servers.of("c1"))]}
    with httpx.Client(transport=httpx.MockTransport(elsewhere), event_hooks=hooks) as http:
        assert http.post("http://api.example/things?key=1", content=b"made").text == "answer"
        assert http.get("http://api.example/packed").text == "packed words"
        with http.stream("GET", "http://api.example/streamed") as answer:
            assert next(answer.iter_raw()) == b"an"
            assert len(servers.noted) == 2
    assert [(request, response) for _, request, response, _ in servers.noted] == [
        ("made", "answer"),
        ("", "packed words"),
        ("", "an"),
    ]
    assert servers.noted[0][3] == {"method": "POST", "path": "api.example/things", "status": 201}


async def test_calls_of_an_asynchronous_client_are_too(servers: Noted) -> None:
    hooks = {"response": [observing_async(servers.of("c1"))]}
    async with httpx.AsyncClient(transport=httpx.MockTransport(elsewhere), event_hooks=hooks) as http:
        assert (await http.post("http://api.example/things", json={"a": 1})).text == "answer"
    assert [(request, response) for _, request, response, _ in servers.noted] == [('{"a":1}', "answer")]
