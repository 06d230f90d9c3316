"""A runner host: `python -m runner`. Settings come from the environment; see `.env.example`."""

from __future__ import annotations

import asyncio
import signal
import sys
import time

import structlog
from box_review import __version__
from pydantic import ValidationError
from redis.exceptions import RedisError

from jobs import logs, traces
from jobs.metrics import Teller
from jobs.queue import connect
from runner.errors import RunnerError
from runner.host import open_host
from runner.settings import RunnerSettings
from runner.work import working
from sandbox.errors import SandboxError

log = structlog.get_logger()

REDIS_PATIENCE_S = 30.0


async def run(settings: RunnerSettings) -> None:
    """Work until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    redis = connect(settings.redis_url)
    try:
        await _wait_for(redis.ping)
        async with open_host(settings, redis) as host:
            for notice in host.driver.capabilities.notices:
                log.warning("this host isolates less than it could", notice=notice)
            async with working(host, redis), Teller(redis, "runner").telling():
                log.info("runner host ready", host=host.id, driver=host.driver.name, jobs=settings.box_runner_jobs, version=__version__)
                await stop.wait()
                log.info("stopping; running jobs go back to the queue")
    finally:
        await redis.aclose(close_connection_pool=True)


async def _wait_for(ping: object) -> None:
    """Redis may start after us."""
    ends = time.monotonic() + REDIS_PATIENCE_S
    while True:
        try:
            await ping()  # type: ignore[operator]
        except (RedisError, OSError):
            if time.monotonic() > ends:
                raise
            await asyncio.sleep(0.2)
        else:
            return


def main() -> int:
    """Exit codes: 0 stopped as told; 2 a setting cannot be used; 3 this host cannot run boxes or reach the queue."""
    try:
        settings = RunnerSettings()
    except ValidationError as error:
        for problem in error.errors(include_url=False):
            print(f"runner: {'.'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}", file=sys.stderr)
        return 2
    logs.configure(settings.log_level, settings.log_format, settings)
    traces.configure(settings.otel_exporter_otlp_endpoint, "runner")
    try:
        asyncio.run(run(settings))
    except (SandboxError, RunnerError) as error:
        print(f"runner: {error}", file=sys.stderr)
        return 3
    except (RedisError, OSError) as error:
        print(f"runner: the queue at {settings.redis_url.split('@')[-1]} cannot be reached: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
