"""The worker that tends pull requests: `python -m bot.github`. Settings come from the environment; see `.env.example`.

It waits until an App is set up, and begins anew when the App changes.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys

import structlog
from pydantic import ValidationError
from redis.exceptions import RedisError

from bot.errors import Misconfigured
from bot.fleet import Fleet
from bot.github.credentials import Credentials, Keeper
from bot.github.state import Pulls
from bot.keys import Keys
from bot.reviews import Reviews
from bot.settings import BotSettings
from bot.sources import Sources
from jobs import logs, traces
from jobs.lease import end
from jobs.metrics import Teller
from jobs.queue import connect

log = structlog.get_logger()

LOOK_S = 1.0


async def run(settings: BotSettings) -> None:
    """Work until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    redis = connect(settings.redis_url)
    try:
        async with Teller(redis, "github").telling():
            await _keep_working(settings, stop)
    finally:
        await redis.aclose(close_connection_pool=True)


async def _keep_working(settings: BotSettings, stop: asyncio.Event) -> None:
    keeper = Keeper(settings)
    work: asyncio.Task[None] | None = None
    current: Credentials | None = None
    try:
        while not stop.is_set():
            found = _current(keeper)
            if found != current or (work is not None and work.done()):
                if work is not None:
                    await end(work)
                work = None if found is None else asyncio.create_task(_work(settings, found))
                current = found
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await stop.wait()
    finally:
        if work is not None:
            await end(work)


async def _work(settings: BotSettings, credentials: Credentials) -> None:
    # Loaded only where there is an App: the client of GitHub's API takes tens of megabytes.
    from bot.github.app import App  # noqa: PLC0415
    from bot.github.desk import Desk  # noqa: PLC0415
    from bot.github.mirror import Mirrors  # noqa: PLC0415
    from bot.github.worker import working  # noqa: PLC0415

    redis = connect(settings.redis_url, deadline_s=15.0, connections=200)
    sources = Sources(settings.artifacts_url, settings.box_max_source_bytes)
    reviews = Reviews(redis, sources, settings.artifacts_url)
    fleet = Fleet(reviews, settings.box_host_token)
    app = App(credentials, settings.github_api_url)
    keys = Keys.of(settings, redis)
    desk = Desk(settings, app, Pulls(redis), reviews, sources, fleet, Mirrors(settings.box_data_dir / "mirrors"), keys.operator)
    try:
        async with working(desk, settings.redis_url) as work:
            log.info("tending pull requests", app_id=credentials.app_id, jobs=settings.box_github_jobs)
            await work
    except (RedisError, OSError) as error:
        log.warning("the queue cannot be reached; beginning again", error=str(error))
    except Exception:  # the process's boundary: whatever ended, it begins anew
        log.exception("the worker broke; beginning again")
    finally:
        await fleet.close()
        await app.close()
        await redis.aclose(close_connection_pool=True)


def _current(keeper: Keeper) -> Credentials | None:
    try:
        return keeper.current()
    except Misconfigured as error:
        log.warning("the App's credentials cannot be used", reason=str(error))
        return None


def main() -> int:
    """Exit codes: 0 stopped as told; 2 a setting cannot be used."""
    try:
        settings = BotSettings()
        Keeper(settings)
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            print(f"bot.github: {'.'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}", file=sys.stderr)
        return 2
    except Misconfigured as error:
        print(f"bot.github: {error}", file=sys.stderr)
        return 2
    logs.configure(settings.log_level, settings.log_format, settings)
    traces.configure(settings.otel_exporter_otlp_endpoint, "github")
    asyncio.run(run(settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
