"""`box-review agent`: agent servers and what they remember, read and put right by a person."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence

import click
from upstash_box import BoxError

from box_review.agent_server.memory import Memory
from box_review.agent_server.recall import Remembered
from box_review.agent_server.servers import AgentServers
from box_review.agent_server.tenant_box import LABEL, box_name
from box_review.boxes import Boxes
from box_review.cli import errors_as_exit_codes
from box_review.client import Address
from box_review.errors import InputError, ServerUnavailable
from box_review.sanitize import for_terminal
from box_review.serving import server

_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_PREFIX = "agent-"


@click.group("agent", short_help="Ask agent servers, and read and correct what they remember.")
def agent() -> None:
    """Agent servers: one box a tenant, with a memory.

    Uses the server at BOX_REVIEW_URL (with BOX_REVIEW_API_KEY), or this machine's own.

    Exit codes: 0 done, 2 wrong usage or input, 3 the server could not do it.
    """


@contextlib.contextmanager
def _address() -> Iterator[Address]:
    with errors_as_exit_codes(), server() as address:
        try:
            yield address
        except BoxError as error:
            raise ServerUnavailable(for_terminal(str(error))) from error


@contextlib.contextmanager
def _memory(tenant: str) -> Iterator[Memory]:
    """The memory of a tenant that is there: looking must not make one."""
    with _address() as address, AgentServers(address=address) as servers:
        name = box_name(tenant)
        if name not in {box.name for box in Boxes(address).list(LABEL)}:
            raise InputError(f"there is no agent server of {for_terminal(tenant)!r}; `box-review agent ls` shows those that are")
        yield servers.of(tenant).memory()


@agent.command("ls", short_help="List agent servers.")
@_AS_JSON
def ls_command(as_json: bool) -> None:
    """List the boxes of agent servers. A tenant whose name is none for a box stands there by a digest."""
    with _address() as address:
        found = sorted((str(box.name), box.id, str(box.status)) for box in Boxes(address).list(LABEL))
        if as_json:
            click.echo(json.dumps([{"name": name, "box": ident, "status": status} for name, ident, status in found]))
            return
        for name, ident, status in found:
            click.echo(for_terminal(f"{name.removeprefix(_PREFIX):<40}  {status:<8}  {ident}"))
        if not found:
            click.echo("there is none", err=True)


@agent.command("memory", short_help="Show what a tenant's agent remembers.")
@click.argument("tenant")
@click.argument("question", required=False, default="")
@click.option("--all", "everything", is_flag=True, help="Also what no longer holds, and what happened.")
@_AS_JSON
def memory_command(tenant: str, question: str, everything: bool, as_json: bool) -> None:
    """Show what is remembered of TENANT: what would be told with QUESTION, or all that holds."""
    with _memory(tenant) as memory:
        found: Sequence[Remembered] = memory.recall(question) if question else memory.read()
        if not question and not everything:
            found = [entry for entry in found if entry.holds and entry.kind != "episode"]
        _print(found, as_json)


@agent.command("learn", short_help="Tell it something.")
@click.argument("tenant")
@click.argument("text")
@click.option("--preference", is_flag=True, help="It is how the tenant wants things.")
def learn_command(tenant: str, text: str, preference: bool) -> None:
    """Let the agent of TENANT remember TEXT."""
    with _memory(tenant) as memory:
        _print([memory.learn(text, kind="preference" if preference else "fact")], as_json=False)


@agent.command("correct", short_help="Say what is so instead.")
@click.argument("tenant")
@click.argument("ident", metavar="ID")
@click.argument("text")
def correct_command(tenant: str, ident: str, text: str) -> None:
    """Close the entry ID, and remember TEXT in its place."""
    with _memory(tenant) as memory:
        _print([memory.correct(ident, text)], as_json=False)


@agent.command("forget", short_help="Drop an entry from all versions.")
@click.argument("tenant")
@click.argument("idents", metavar="ID...", nargs=-1, required=True)
def forget_command(tenant: str, idents: tuple[str, ...]) -> None:
    """Drop entries, and what they had replaced, from every version of the memory."""
    with _memory(tenant) as memory:
        _print([memory.forget(ident) for ident in idents], as_json=False)


@agent.command("history", short_help="Show how a memory changed.")
@click.argument("tenant")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many changes at most.")
def history_command(tenant: str, limit: int) -> None:
    """Show the latest changes, latest first."""
    with _memory(tenant) as memory:
        for change in memory.history(limit):
            click.echo(for_terminal(f"{change.get('at', '')}  {change.get('commit', '')[:10]}  {change.get('why', '')}"))


@agent.command("ask", short_help="Ask a tenant's agent.")
@click.argument("tenant")
@click.argument("question")
@click.option("--harness", help="What drives its model.  [default: as it was made; a new one has none, and its memory answers]")
@click.option("--model", default="", help="As the harness names it.  [default: as it was]")
def ask_command(tenant: str, question: str, harness: str | None, model: str) -> None:
    """Ask the agent of TENANT; it is made if there is none yet."""
    with _address() as address:
        made = next((box for box in Boxes(address).list(LABEL) if box.name == box_name(tenant)), None)
        if made and made.agent:
            harness, model = harness or made.agent, model or made.model or ""
        _ask(AgentServers(address=address, harness=harness, model=model), tenant, question)


def _ask(servers: AgentServers, tenant: str, question: str) -> None:
    with servers:
        answer = servers.of(tenant).ask(question)
        click.echo(for_terminal(answer.text, multiline=True))
        click.echo(for_terminal(f"by {answer.by}; {len(answer.used)} remembered entries were told"), err=True)


def _print(entries: Sequence[Remembered], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([entry.model_dump(mode="json") for entry in entries], indent=2))
        return
    for entry in entries:
        click.echo(for_terminal(f"{entry.text}  ({entry.provenance})"))
    if not entries:
        click.echo("nothing is remembered", err=True)
