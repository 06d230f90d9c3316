"""`box-review box` and `box-review keys`: boxes and keys of a server from the command line."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import click
import httpx
from pydantic import ValidationError
from upstash_box import BoxError

from box_review.box_copy import copy
from box_review.box_terminal import SHELL, run
from box_review.boxes import Box, Boxes
from box_review.client import Address
from box_review.errors import BoxReviewError, InputError
from box_review.keys import KeyClient, NewKey
from box_review.sanitize import for_terminal

USAGE, FAILED = 2, 3
WHERE = "The server is named by BOX_REVIEW_URL and BOX_REVIEW_API_KEY, or by UPSTASH_BOX_BASE_URL and UPSTASH_BOX_API_KEY."


@click.group(short_help="Make and use boxes of a server.", epilog=WHERE)
def box() -> None:
    """Make, use, freeze and delete boxes. BOX is an id or a name; a frozen box wakes for any work."""


@box.command("ls", short_help="List boxes.")
@click.option("--label", help="Only those with this label.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--quiet", "-q", is_flag=True, help="Ids alone.")
def list_boxes(label: str | None, as_json: bool, quiet: bool) -> None:
    """List boxes, oldest first."""
    with _errors():
        found = Boxes().list(label)
        if as_json or quiet:
            for one in found:
                click.echo(one.id if quiet else one.model_dump_json(exclude_none=True))
            return
        rows = [(one.id, one.name or "", one.status, one.size or "", _age(one.created_at), ",".join(one.labels or ())) for one in found]
        _table(("ID", "NAME", "STATUS", "SIZE", "AGE", "LABELS"), rows)


@box.command("create", short_help="Make a box and print its id.")
@click.option("--name", help="Unique among your boxes; stands for the id everywhere.")
@click.option("--size", type=click.Choice(["small", "medium", "large"]), help="2, 4 or 8 processors; 4, 8 or 16 GB.  [default: small]")
@click.option("--snapshot", metavar="ID", help="Start from this snapshot.")
@click.option("--env", "-e", multiple=True, metavar="NAME=VALUE", help="Variable of every command; repeatable.")
@click.option("--label", "-l", "labels", multiple=True, help="Up to five; repeatable.")
@click.option(
    "--network", default="allow-all", show_default=True, metavar="POLICY", help="allow-all, deny-all, or domains separated by commas."
)
@click.option("--init", "init_command", metavar="COMMAND", help="Runs in the background whenever the box starts.")
@click.option("--keep-alive", is_flag=True, help="Never freeze it by itself.")
def create(name: str | None, snapshot: str | None, env: tuple[str, ...], network: str, **given: Any) -> None:
    """Make a box and print its id."""
    with _errors():
        config = {key: value for key, value in given.items() if value} | ({"name": name} if name else {})
        config |= {"env": dict(_pair(entry) for entry in env)} if env else {}
        config["labels"] = [*config.get("labels", ())]
        config["network_policy"] = _policy(network)
        made = Boxes().from_snapshot(snapshot, **config) if snapshot else Boxes().create(**config)
        click.echo(made.id)


@box.command("exec", short_help="Run a command in a box.", context_settings={"ignore_unknown_options": True})
@click.option("--tty", "-t", is_flag=True, help="Give it a terminal.")
@click.option("--interactive", "-i", is_flag=True, help="Pass on standard input.")
@click.option("--workdir", "-w", metavar="PATH", help="Where it starts.  [default: /workspace/home]")
@click.argument("name", metavar="BOX")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def execute(name: str, command: tuple[str, ...], tty: bool, interactive: bool, workdir: str | None) -> None:
    """Run COMMAND in a box; exits with its exit code. It ends when this command does."""
    with _errors():
        sys.exit(run(_box(name), [*command], tty=tty, interactive=interactive or tty, workdir=workdir))


@box.command("shell", short_help="Open a shell in a box.")
@click.argument("name", metavar="BOX")
def shell(name: str) -> None:
    """Open a shell in a box, frozen or not."""
    with _errors():
        if not sys.stdin.isatty():
            raise InputError("a shell needs a terminal; `box-review box exec -i BOX sh` reads commands from a pipe")
        sys.exit(run(_box(name), SHELL, tty=True, interactive=True, workdir=None))


@box.command("cp", short_help="Copy files into or out of a box.")
@click.argument("source")
@click.argument("target")
def cp(source: str, target: str) -> None:
    """Copy SOURCE to TARGET, one of which is BOX:PATH. Folders are copied whole; a target that is a folder takes the source in."""
    with _errors():
        count = copy(_box, source, target)
        click.echo(f"{count} file{'s' if count != 1 else ''} copied", err=True)


@box.command("freeze", short_help="Freeze boxes; they wake for any work.")
@click.argument("names", metavar="BOX...", nargs=-1, required=True)
def freeze(names: tuple[str, ...]) -> None:
    """Freeze boxes to disk."""
    _each(names, lambda found: found.pause())


@box.command("resume", short_help="Wake frozen boxes.")
@click.argument("names", metavar="BOX...", nargs=-1, required=True)
def resume(names: tuple[str, ...]) -> None:
    """Wake frozen boxes."""
    _each(names, lambda found: found.resume())


@box.command("fork", short_help="Copy a box and print the new id.")
@click.argument("name", metavar="BOX")
def fork(name: str) -> None:
    """Make a new box that starts from what BOX is now."""
    with _errors():
        click.echo(_box(name).fork().id)


@box.command("snapshot", short_help="Keep a box's files and print the snapshot's id.")
@click.argument("name", metavar="BOX")
@click.argument("snapshot_name", metavar="[NAME]", default="")
def snapshot(name: str, snapshot_name: str) -> None:
    """Keep the files of BOX as they are now; the snapshot outlives the box."""
    with _errors():
        click.echo(_box(name).snapshot(name=snapshot_name or time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())).id)


@box.command("rm", short_help="Delete boxes.")
@click.argument("names", metavar="BOX...", nargs=-1, required=True)
def remove(names: tuple[str, ...]) -> None:
    """Delete boxes with their files; their snapshots stay."""
    with _errors():
        Boxes().delete(names)


@box.command("logs", short_help="Show what happened to a box.")
@click.option("--runs", is_flag=True, help="What ran in it instead.")
@click.argument("name", metavar="BOX")
def logs(name: str, runs: bool) -> None:
    """Show what happened to a box, oldest first."""
    with _errors():
        found = _box(name)
        if runs:
            rows = [
                (run.id, run.type, run.status, f"{(run.duration_ms or 0) / 1000:.1f} s", run.prompt or "")
                for run in reversed(found.list_runs())
            ]
            _table(("ID", "TYPE", "STATUS", "TOOK", "WHAT"), rows)
            return
        for line in found.logs():
            at = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(line.timestamp / (1000 if line.timestamp > 1e11 else 1)))
            click.echo(for_terminal(f"{at}  {line.level:5} {line.source:6} {line.message}"))


@box.command("url", short_help="Open a port of a box to visitors.")
@click.option("--token", is_flag=True, help="Ask visitors for a token, which is printed.")
@click.option("--password", is_flag=True, help="Ask visitors for a name and password, which are printed.")
@click.option("--close", is_flag=True, help="Close the port to visitors instead.")
@click.argument("name", metavar="BOX")
@click.argument("port", type=click.IntRange(1, 65535))
def url(name: str, port: int, token: bool, password: bool, close: bool) -> None:
    """Print the URL at which visitors reach PORT of BOX. A visit wakes a frozen box."""
    with _errors():
        found = _box(name)
        if close:
            found.delete_public_url(port)
            return
        made = found.get_public_url(port, bearer_token=token or None, basic_auth=password or None)
        click.echo(made.url)
        for title, value in (("token", made.token), ("user", made.username), ("password", made.password)):
            if value:
                click.echo(f"{title}: {value}", err=not sys.stdout.isatty())


@click.group(short_help="Manage API keys of a server.", epilog=WHERE)
def keys() -> None:
    """Make, list and remove API keys, with a key of the server's settings."""


@keys.command("create", short_help="Make a key and print it.")
@click.option("--name", default="", help="To recognise it by.")
@click.option("--read-only", is_flag=True, help="It may look at boxes and reviews, and change nothing.")
@click.option("--new-tenant", is_flag=True, help="It sees nothing of what other keys made, and they nothing of what it makes.")
@click.option("--expires", type=click.IntRange(1, 3660), metavar="DAYS", help="Days after which it is accepted no more.")
def create_key(name: str, read_only: bool, new_tenant: bool, expires: int | None) -> None:
    """Make a key and print it, this once."""
    with _errors():
        expires_in_s = expires * 86_400 if expires else None
        wanted = NewKey(name=name, read_only=read_only, new_tenant=new_tenant, expires_in_s=expires_in_s)
        made = KeyClient(Address.from_environment()).make(wanted)
        click.echo(f"key {made.id} of tenant {made.tenant}; it is shown this once:", err=True)
        click.echo(made.secret)


@keys.command("ls", short_help="List the keys that were made.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_keys(as_json: bool) -> None:
    """List the keys that were made with this one."""
    with _errors():
        found = KeyClient(Address.from_environment()).list()
        if as_json:
            for key in found:
                click.echo(key.model_dump_json(exclude_none=True))
            return
        rows = [(key.id, key.name, key.tenant, "read" if key.read_only else "all", _until(key.expires_at)) for key in found]
        _table(("ID", "NAME", "TENANT", "MAY", "EXPIRES"), rows)


@keys.command("rm", short_help="Remove keys.")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
def remove_keys(ids: tuple[str, ...]) -> None:
    """Accept keys no more."""
    with _errors():
        for ident in ids:
            KeyClient(Address.from_environment()).remove(ident)


def _box(name: str) -> Box:
    return Boxes().get(name)


def _each(names: tuple[str, ...], work: Any) -> None:
    with _errors():
        for name in names:
            work(_box(name))


def _pair(entry: str) -> tuple[str, str]:
    name, sign, value = entry.partition("=")
    if sign:
        return name, value
    if entry not in os.environ:
        raise InputError(f"--env {entry}: NAME=VALUE, or the name of a variable that is set here")
    return entry, os.environ[entry]


def _policy(network: str) -> dict[str, Any]:
    if network in ("allow-all", "deny-all"):
        return {"mode": network}
    return {"mode": "custom", "allowed_domains": [word.strip() for word in network.split(",") if word.strip()]}


def _age(at: int | None) -> str:
    seconds = max(0, int(time.time()) - (at or 0))
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _until(at: int | None) -> str:
    return "never" if at is None else time.strftime("%Y-%m-%d %H:%M", time.gmtime(at)) + (" (past)" if at <= time.time() else "")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns; on a terminal cut to its width."""
    cells = [heads, *([for_terminal(cell).replace("\n", " ") for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    room = shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else None
    for row in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()[:room])


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """One sentence and an exit code for what is no bug."""
    try:
        yield
    except BoxError as error:
        _fail(str(error), USAGE if 400 <= (error.status_code or 0) < 500 else FAILED)
    except InputError as error:
        _fail(str(error), USAGE)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        _fail(f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}", USAGE)
    except BoxReviewError as error:
        _fail(str(error), USAGE if getattr(error, "status_code", 500) < 500 else FAILED)
    except (httpx.HTTPError, json.JSONDecodeError, ConnectionError) as error:
        _fail(f"the server does not answer as it should: {type(error).__name__}: {error}", FAILED)
    except KeyboardInterrupt:
        sys.exit(130)


def _fail(words: str, code: int) -> NoReturn:
    click.echo(f"box-review: {for_terminal(words)}", err=True)
    sys.exit(code)
