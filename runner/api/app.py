"""The box REST API of a host as a FastAPI application. It trusts the tenant its caller names: only the front may reach it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import structlog
from box_review import __version__
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.requests import HTTPConnection
from fastapi.responses import JSONResponse
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException

from runner.api import agent, commands, files, git, github, lifecycle, previews, schedules, sessions, skills, startup, where
from runner.api.agent_runs import AgentRuns
from runner.api.book import Book
from runner.api.boxes import Boxes, Surroundings
from runner.api.clock import Clock
from runner.api.errors import ApiError
from runner.api.runs import Runs
from runner.api.visits import Visits
from runner.api.webhooks import Webhooks
from sandbox.driver import Driver
from sandbox.errors import BadRequest, BoxBusy, BoxDead, BoxFileError, BoxNotFound, DiskFull, SandboxError, Unsupported
from sandbox.gateway.errors import GatewayError

log = structlog.get_logger()

_STATUS: dict[type[SandboxError], int] = {BadRequest: 400, BoxNotFound: 404, BoxBusy: 409, Unsupported: 400, DiskFull: 507, BoxDead: 502}
_ROUTES = (agent, commands, files, git, github, previews, schedules, sessions, skills, startup, where)


def create_api(driver: Driver, data_dir: Path, surroundings: Surroundings) -> FastAPI:
    """The application over an open driver; what it knows of boxes lies in `api.sqlite` of the data directory."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            book = Book(data_dir / "api.sqlite")
            stack.callback(book.close)
            webhooks = app.state.webhooks = Webhooks(driver.gateway, await surroundings.shared.webhook_key())
            stack.push_async_callback(webhooks.settle)
            runs = Runs(book, webhooks)
            runs.end_interrupted()
            boxes = app.state.boxes = Boxes(driver, book, runs, surroundings)
            stack.push_async_callback(boxes.settle)
            agent_runs = app.state.agent_runs = AgentRuns(boxes)
            stack.push_async_callback(agent_runs.settle)
            clock = app.state.clock = Clock(boxes, agent_runs)
            stack.push_async_callback(clock.settle)
            ticking = asyncio.create_task(clock.run())
            stack.callback(ticking.cancel)
            yield

    app = FastAPI(title="box-review boxes", version=__version__, lifespan=lifespan, redirect_slashes=False)
    app.add_middleware(Visits)
    for module in (lifecycle, *_ROUTES):
        app.include_router(module.router)
    app.add_exception_handler(ApiError, _said(lambda error: getattr(error, "status", 400)))
    app.add_exception_handler(SandboxError, _said(_sandbox_status))
    app.add_exception_handler(RedisError, _unavailable)
    app.add_exception_handler(HTTPException, _said(lambda error: getattr(error, "status_code", 400)))
    app.add_exception_handler(RequestValidationError, _invalid)
    return app


def _said(status: Callable[[Exception], int]) -> Callable[[Any, Exception], Awaitable[Any]]:
    """Answers an error with its own words."""

    async def answer(request: HTTPConnection, error: Exception) -> JSONResponse:
        words = error.detail if isinstance(error, HTTPException) else str(error)
        if isinstance(error, HTTPException) and error.status_code == 404:
            words = f"{request.scope.get('method', 'WebSocket')} {request.url.path} is not available on this server"
        return JSONResponse({"error": words}, status(error))

    return answer


def _sandbox_status(error: Exception) -> int:
    """The status for an error of a box: 4xx where the caller can do something about it."""
    if isinstance(error, BoxFileError):
        return files.status_of(error.errno or errno.EIO)
    if isinstance(error, GatewayError):
        return 400
    for kind, status in _STATUS.items():
        if isinstance(error, kind):
            return status
    log.error("a box failed", error=str(error), kind=type(error).__name__)
    return 500


async def _unavailable(_: Request, error: Exception) -> JSONResponse:
    log.error("the queue does not answer", error=str(error))
    return JSONResponse({"error": "the queue cannot be reached; try again shortly"}, 503)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    """What does not fit a body's description, by field."""
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    said = "; ".join(f"{_field(problem['loc'])}: {problem['msg'].removeprefix('Value error, ')}" for problem in problems[:5])
    return JSONResponse({"error": said}, 400)


def _field(location: tuple[int | str, ...]) -> str:
    words = [str(part) for part in location if part not in ("body", "query", "path", "header")]
    return ".".join(words) or "body"
