"""The HTTP front: FastAPI application, its lifetime and its errors."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncIterator

import structlog
from box_review import __version__
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException

from bot import api, boxes, metrics, openapi
from bot.audit import Audit
from bot.dashboard import routes as dashboard
from bot.dashboard.members import Members
from bot.dashboard.sessions import Sessions
from bot.dashboard.states import States
from bot.errors import Refused
from bot.fleet import Fleet
from bot.github import webhook
from bot.github.credentials import Keeper
from bot.github.direct import Direct
from bot.github.setup import is_open
from bot.github.state import Pulls
from bot.keys import Keys
from bot.knowledge import routes as knowledge
from bot.knowledge.front import Front
from bot.reviews import STREAM_WAIT_S, Reviews
from bot.settings import BotSettings
from bot.sources import Sources
from jobs.metrics import Teller
from jobs.queue import REDIS_DEADLINE_S, connect

log = structlog.get_logger()


def create_app(settings: BotSettings) -> FastAPI:
    """The application. Errors are answered as `{"error": sentence}`."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        redis = connect(
            settings.redis_url, deadline_s=STREAM_WAIT_S + REDIS_DEADLINE_S, connections=200
        )  # waiting for events may take long
        sources = Sources(settings.artifacts_url, settings.box_max_source_bytes)
        app.state.service = api.Service(
            keys=Keys.of(settings, redis), redis=redis, sources=sources, reviews=Reviews(redis, sources, settings.artifacts_url)
        )
        app.state.sessions = Sessions.of(settings.box_data_dir, app.state.service.keys, redis)
        keeper, github = Keeper(settings), Direct(settings.github_url, settings.github_api_url)
        app.state.github, app.state.github_direct = webhook.Receiver(keeper, Pulls(redis)), github
        app.state.setup_open = functools.partial(is_open, keeper)
        app.state.states = States(app.state.sessions, redis)
        app.state.members = Members(app.state.sessions, redis, keeper, github)
        app.state.fleet = Fleet(app.state.service.reviews, settings.box_host_token)
        app.state.description = openapi.Description(app, app.state.fleet)
        app.state.knowledge = Front(settings.knowledge_dir, needed=settings.box_knowledge_support, shares=settings.box_knowledge_shared)
        app.state.metrics = metrics.Metrics(redis, Teller(redis, "bot"), settings.box_metrics_token)
        async with app.state.metrics.teller.telling():
            yield
        await app.state.knowledge.close()
        await app.state.fleet.close()
        await redis.aclose(close_connection_pool=True)

    app = FastAPI(title="box-review", version=__version__, lifespan=lifespan, redirect_slashes=False, openapi_url=None)
    app.include_router(openapi.router)
    app.include_router(api.health)
    app.include_router(metrics.router)
    app.include_router(api.router)
    app.include_router(knowledge.router)
    app.include_router(boxes.router)
    app.include_router(webhook.router)
    app.include_router(dashboard.router)
    app.state.public_url = settings.box_public_url
    app.state.box_url = settings.box_url
    app.add_middleware(boxes.Visitors, public_url=settings.box_public_url)
    if settings.audit_log is not None:
        app.add_middleware(Audit, file=settings.audit_log)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(HTTPException, _unknown)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(RedisError, _unavailable)
    return app


async def _refused(_: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, Refused) else 500
    return JSONResponse({"error": str(error)}, status)


async def _unknown(request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return JSONResponse({"error": f"{request.method} {request.url.path} is not available on this server"}, status)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    said = "; ".join(f"{'.'.join(str(part) for part in problem['loc'][1:]) or 'body'}: {problem['msg']}" for problem in problems[:5])
    return JSONResponse({"error": said}, 422)


async def _unavailable(_: Request, error: Exception) -> JSONResponse:
    log.error("the queue does not answer", error=str(error))
    return JSONResponse({"error": "the queue cannot be reached; try again shortly"}, 503)
