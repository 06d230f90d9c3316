"""`box-review knowledge`: what agents have learned, looked at and decided on by a person."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any, get_args

import click
from pydantic import BaseModel

from box_review.cli import errors_as_exit_codes
from box_review.errors import InputError, RequestRejected
from box_review.knowledge import Entry, Knowledge, State
from box_review.sanitize import for_terminal
from box_review.serving import server

_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_REASON = click.option("--reason", required=True, metavar="TEXT", help="Why; it stands in the history.")
_MOST = 500
_SIMILAR = 3


@click.group("knowledge", short_help="Look at what agents have learned, and decide what others may read.")
def knowledge() -> None:
    """What the agents of an organisation have learned, and may tell one another.

    Uses the server at BOX_REVIEW_URL (with BOX_REVIEW_API_KEY), or what this machine's own server keeps.

    Exit codes: 0 done, 2 wrong usage or input, 3 the server could not do it.
    """


@contextlib.contextmanager
def _client() -> Iterator[Knowledge]:
    with errors_as_exit_codes(), server() as address, Knowledge(address) as client:
        yield client


@knowledge.command("ls", short_help="List entries.")
@click.argument("query", required=False, default="")
@click.option("--state", type=click.Choice(get_args(State)), help="Only those in this state.")
@click.option("--limit", type=click.IntRange(1, _MOST), default=50, show_default=True, help="How many at most.")
@_AS_JSON
def ls_command(query: str, state: State | None, limit: int, as_json: bool) -> None:
    """List entries: those that fit QUERY, best first, or those that need a person first."""
    with _client() as client:
        found = client.entries(state=state, query=query, limit=limit)
        if as_json:
            _print_json(found)
            return
        for entry in found:
            _say(f"{entry.id}  {entry.state:<9}  {_flags(entry)}{entry.text}  ({_tenants(entry)})")
        if not found:
            click.echo("nothing found", err=True)


@knowledge.command("show", short_help="Show an entry, with its sources.")
@click.argument("ident", metavar="ID")
@_AS_JSON
def show_command(ident: str, as_json: bool) -> None:
    """Show an entry, what supports it, and why it waits."""
    with _client() as client:
        entry = client.entry(ident)
        if as_json:
            _print_json([entry], one=True)
        else:
            _show(entry)


@knowledge.command("review", short_help="Go through proposals one by one.")
@click.option("--limit", type=click.IntRange(1, _MOST), default=_MOST, help="How many at most.")
def review_command(limit: int) -> None:
    """Go through what is proposed, what is flagged first: approve, refuse, skip or quit. Without a terminal they are listed."""
    with _client() as client:
        open_ones = client.entries(state="proposed", limit=limit)
        if not open_ones:
            click.echo("no proposal is open", err=True)
        asks = sys.stdin.isatty() and sys.stdout.isatty()
        for number, entry in enumerate(open_ones, 1):
            click.echo(f"{number} of {len(open_ones)}" if asks else "")
            _show(entry)
            if asks:
                _show_similar(client, entry)
                if not _decide(client, entry):
                    return


@knowledge.command("approve", short_help="Publish an entry.")
@click.argument("ident", metavar="ID")
@click.option("--share", is_flag=True, help="Other organisations may read it too, where the server lets them.")
def approve_command(ident: str, share: bool) -> None:
    """Publish an entry whose text you have read."""
    with _client() as client:
        _told(client.approve(ident, share=share))


@knowledge.command("refuse", short_help="Refuse an entry, or withdraw it.")
@click.argument("ident", metavar="ID")
@_REASON
def refuse_command(ident: str, reason: str) -> None:
    """Refuse an entry, or withdraw one that is published. Proposing it again does not bring it back."""
    with _client() as client:
        _told(client.refuse(ident, reason))


@knowledge.command("revoke", short_help="Revoke a source, and all that came from it.")
@click.option("--tenant", metavar="NAME", help="A tenant that is trusted no more.")
@click.option("--ref", metavar="REF", help="One thing that tenants saw, as `show` names it.")
@_REASON
@_AS_JSON
def revoke_command(tenant: str | None, ref: str | None, reason: str, as_json: bool) -> None:
    """Revoke a source: its support goes, and with it every entry that does not stand without it."""
    with _client() as client:
        done = client.revoke(tenant=tenant, ref=ref, reason=reason)
        if as_json:
            _print_json([done], one=True)
            return
        _say(f"{_counted(done.touched, 'entry', 'entries')} rested on it; withdrawn: {', '.join(done.entries) or 'none'}")


@knowledge.command("restore", short_help="Let a revoked source support entries again.")
@click.option("--tenant", metavar="NAME", help="A tenant.")
@click.option("--ref", metavar="REF", help="One thing that tenants saw.")
def restore_command(tenant: str | None, ref: str | None) -> None:
    """Let a revoked source support entries from now on; what it supported before does not come back."""
    with _client() as client:
        client.restore(tenant=tenant, ref=ref)
        click.echo("restored")


@knowledge.command("revoked", short_help="List revoked sources.")
@_AS_JSON
def revoked_command(as_json: bool) -> None:
    """List the sources that can support nothing."""
    with _client() as client:
        sources = client.revoked()
        if as_json:
            _print_json(sources)
            return
        for source in sources:
            what = f"tenant {source.tenant}" if source.tenant is not None else f"ref {source.ref}"
            _say(f"{source.at:%Y-%m-%d %H:%M}  {what}  by {source.by}: {source.reason}")


@knowledge.command("log", short_help="Show what was changed.")
@click.option("--limit", type=click.IntRange(1, _MOST), default=50, show_default=True, help="How many changes at most.")
@_AS_JSON
def log_command(limit: int, as_json: bool) -> None:
    """Show what was changed, by whom and why, newest first."""
    with _client() as client:
        changes = client.log(limit)
        if as_json:
            _print_json(changes)
            return
        for change in changes:
            ids = change.ids[0] if len(change.ids) == 1 else _counted(len(change.ids), "entry", "entries")
            who = " ".join(filter(None, [change.tenant and f"tenant {change.tenant}", change.by and f"by {change.by}"]))
            _say(f"{change.at:%Y-%m-%d %H:%M}  {change.commit}  {change.what:<9}  {ids}  {who}{': ' if change.why else ''}{change.why}")


def _decide(client: Knowledge, entry: Entry) -> bool:
    """Asks and does it; False to quit. What somebody else has decided meanwhile is said, and not done again."""
    choice = click.prompt("approve, refuse, skip or quit", type=click.Choice(["a", "r", "s", "q"]), default="s")
    try:
        if choice == "a":
            _told(client.approve(entry.id))
        elif choice == "r":
            _told(client.refuse(entry.id, click.prompt("reason")))
    except RequestRejected as error:
        if error.status_code not in (404, 409):
            raise
        click.echo(for_terminal(str(error)), err=True)
    except InputError as error:
        click.echo(for_terminal(str(error)), err=True)
    return bool(choice != "q")


def _show(entry: Entry) -> None:
    if entry.flags:
        _say(f"flagged: {', '.join(entry.flags)}")
    _say(f"{entry.id}  {entry.state}{', shared' if entry.shared else ''}{f'  topic {entry.topic}' if entry.topic else ''}")
    for line in entry.text.splitlines():
        _say(f"    {line}")
    _say(f"  from {entry.provenance}")
    for support in entry.support:
        refs = f": {', '.join(support.refs)}" if support.refs else ""
        _say(f"    {support.at:%Y-%m-%d %H:%M}  {support.tenant}{refs}")
    if entry.reason:
        _say(f"  reason: {entry.reason}")


def _show_similar(client: Knowledge, entry: Entry) -> None:
    """What a person may want to decide alike: the same in other words is an entry of its own."""
    for other in client.entries(query=entry.text, limit=_SIMILAR + 1)[: _SIMILAR + 1]:
        if other.id != entry.id:
            _say(f"  compare {other.id}  {other.state}  {other.text}")


def _told(entry: Entry) -> None:
    _say(f"{entry.id} is {entry.state}{' and shared' if entry.shared else ''}")


def _flags(entry: Entry) -> str:
    return f"[{', '.join(entry.flags)}] " if entry.flags else ""


def _tenants(entry: Entry) -> str:
    return _counted(entry.tenants, "tenant", "tenants")


def _counted(number: int, one: str, more: str) -> str:
    return f"{number} {one if number == 1 else more}"


def _say(line: str) -> None:
    click.echo(for_terminal(line))


def _print_json(values: Sequence[BaseModel], *, one: bool = False) -> None:
    plain: list[Any] = [value.model_dump(mode="json") for value in values]
    click.echo(json.dumps(plain[0] if one else plain, indent=2))  # ASCII: nothing in it acts on a terminal
