"""`box-review deliveries`: what GitHub has sent to the App, and sending it to a server that GitHub cannot reach.

Exit codes: 0 all was taken; 1 some was refused; 2 wrong usage or no App; 3 GitHub or the server does not answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
import structlog
from box_review.sanitize import for_terminal
from pydantic import ValidationError

from bot.errors import Misconfigured
from bot.github import replay
from bot.github.credentials import Credentials, Keeper
from bot.github.errors import Denied, GitHubError, Missing, NotSetUp
from bot.github.events import KNOWN
from bot.github.replay import Delivery, NoAnswer
from bot.settings import BotSettings

if TYPE_CHECKING:
    from bot.github.calls import Calls

MOST = 1000
NO_APP = (
    "no GitHub App is configured here: set APP_ID, PRIVATE_KEY (or PRIVATE_KEY_PATH) and WEBHOOK_SECRET, or BOX_DATA_DIR to the data "
    "directory of a server whose App was set up in the browser"
)


@click.group("deliveries", short_help="List what GitHub has sent to the App, or send it to a server.")
def command() -> None:
    """Deliveries of the GitHub App, for development without a tunnel and for what got lost.

    Needs the App's credentials, as the server has them: from the environment, or from the data directory.
    """
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))


@command.command("ls", short_help="List what GitHub has sent.")
@click.option("--failed", is_flag=True, help="Only what was not delivered in the end.")
@click.option("--limit", "-n", default=30, show_default=True, type=click.IntRange(1, MOST), help="So many of the newest.")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON each.")
def list_them(failed: bool, limit: int, as_json: bool) -> None:
    """List the App's recent deliveries, the newest first: time, event, repository, answer, id, GUID."""

    async def look() -> list[replay.Sent]:
        async with _own() as own:
            return await replay.recent(own, limit, failed=failed)

    with _errors_as_exit_codes():
        for one in asyncio.run(look()):
            answer = f"{one.status_code} {one.status}" if one.status_code else one.status
            row = f"{one.delivered_at[:19]}  {one.kind:36}  {one.repository or '-':30}  {answer:24}  {one.id}  {one.guid}"
            click.echo(one.as_json() if as_json else for_terminal(row))


@command.command("replay", short_help="Send deliveries to a server.")
@click.argument("what", nargs=-1, metavar="[ID|GUID|FILE.json]...")
@click.option("--failed", is_flag=True, help="What `ls --failed` lists, the oldest first.")
@click.option("--event", type=click.Choice(sorted(KNOWN)), help="What FILE.json is the payload of.")
@click.option("--url", help="The server to send to.  [default: BOX_REVIEW_URL, or the one that runs on the data directory]")
@click.option("--anew", is_flag=True, help="As new deliveries: a server does nothing about one that it knows.")
def send(what: tuple[str, ...], failed: bool, event: str | None, url: str | None, anew: bool) -> None:
    """Send deliveries to a server, signed with the App's webhook secret, and print what it answers.

    They are told by the id or GUID that `ls` shows, or are files with a payload, which need --event.
    """
    if bool(what) == failed:
        raise click.UsageError("say which deliveries, or --failed")
    with _errors_as_exit_codes():
        settings = BotSettings()
        secret = _credentials(settings).webhook_secret
        target = url or os.environ.get("BOX_REVIEW_URL") or _running(settings.box_data_dir)
        files = {one: _read(Path(one), event) for one in what if one.endswith(".json") or Path(one).is_file()}
        deliveries = asyncio.run(_found(what, files, failed=failed))
        if anew:
            deliveries = [replace(one, guid=str(uuid.uuid4())) for one in deliveries]
        answers = replay.send(target, secret, deliveries)
        for one, answer in zip(deliveries, answers, strict=True):
            click.echo(for_terminal(f"{one.guid}  {one.event}  {answer.status_code}  {answer.said}"))
        if not deliveries:
            click.echo("nothing failed", err=True)
        sys.exit(0 if all(answer.taken for answer in answers) else 1)


async def _found(what: tuple[str, ...], files: dict[str, Delivery], *, failed: bool) -> list[Delivery]:
    """What is to be sent, in order."""
    if not failed and len(files) == len(set(what)):  # nothing that GitHub must be asked for
        return [files[one] for one in what]
    async with _own() as own:
        wanted = [str(one.id) for one in reversed(await replay.recent(own, MOST, failed=True))] if failed else what
        return [files.get(one) or await replay.fetch(own, one) for one in wanted]


def _read(file: Path, event: str | None) -> Delivery:
    if event is None:
        raise click.UsageError(f"{file} is a payload of which event? --event says it")
    try:
        body = file.read_bytes()
        json.loads(body)
    except (OSError, ValueError) as error:
        raise click.UsageError(f"{file} is no payload: {getattr(error, 'strerror', None) or error}") from error
    return Delivery(str(uuid.uuid4()), event, body)


@contextlib.asynccontextmanager
async def _own() -> AsyncIterator[Calls]:
    """GitHub's API, as the App itself. Raises NotSetUp, Misconfigured."""
    settings = BotSettings()
    credentials = _credentials(settings)
    from bot.github.app import App  # noqa: PLC0415 - takes a second to load

    app = App(credentials, settings.github_api_url)
    try:
        yield app.own
    finally:
        await app.close()


def _credentials(settings: BotSettings) -> Credentials:
    credentials = Keeper(settings).current()
    if credentials is None:
        raise NotSetUp(NO_APP)
    return credentials


def _running(data_dir: Path) -> str:
    """The URL of the server that runs on the data directory."""
    try:
        return str(json.loads((data_dir / "serve.json").read_text())["url"])
    except (OSError, ValueError, KeyError, TypeError):
        raise click.UsageError(f"no server runs on {data_dir}; start one with `box-review serve`, or say where by --url") from None


@contextlib.contextmanager
def _errors_as_exit_codes() -> Iterator[None]:
    """One sentence and an exit code for what is no bug."""
    try:
        yield
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        _fail("; ".join(f"{'.'.join(map(str, one['loc'])).upper()}: {one['msg']}" for one in problems), 2)
    except (NotSetUp, Misconfigured, Denied, Missing, LookupError) as error:
        _fail(str(error), 2)
    except (GitHubError, NoAnswer) as error:
        _fail(str(error), 3)


def _fail(why: str, code: int) -> None:
    click.echo(f"box-review: {for_terminal(why)}", err=True)
    sys.exit(code)
