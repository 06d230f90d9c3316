"""`box-review ask` and `box-review resume`: what comes after a review, in the box of one of its reviewers."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import click
import httpx
from upstash_box import BoxError

from box_review.box_terminal import SHELL, run
from box_review.boxes import Box, Boxes
from box_review.cli import errors_as_exit_codes
from box_review.client import Address, Client
from box_review.errors import InputError, RequestRejected, ServerUnavailable
from box_review.review import REPOSITORY, ReviewRecord, RoleReport
from box_review.sanitize import for_terminal
from box_review.serving import server

_SILENCE_S = 60.0  # the server sends a sign of life every 15 s


@click.command("ask", short_help="Ask a reviewer about its review.")
@click.argument("review_id")
@click.argument("question")
@click.option("--role", metavar="ROLE", help="Which reviewer.  [default: the one with most findings]")
@click.option("--json", "as_json", is_flag=True, help="Print the agent's events, a JSON object a line.")
def ask(review_id: str, question: str, role: str | None, as_json: bool) -> None:
    """Wake a reviewer's box and ask its agent, which knows all it has seen and done.

    The server is the one that reviewed: BOX_REVIEW_URL, or one started here on the same data directory.
    """
    with errors_as_exit_codes(), server("auto") as address:
        report = _reviewer(_record(address, review_id), role, agent=True)
        if not as_json:
            click.echo(f"Asking {report.role} ({report.harness}, {report.model}) ...", err=True)
        for kind, data in answers(address, review_id, report.role, question):
            if as_json:
                click.echo(json.dumps({"kind": kind, **data}))
            elif kind == "tool":
                click.echo(for_terminal(f"  {data.get('name')}: {json.dumps(data.get('input'))[:160]}"), err=True)
            elif kind == "done":
                click.echo(for_terminal(str(data.get("output", ""))))
            if kind == "error":
                raise ServerUnavailable(f"the reviewer gave no answer: {data.get('error')}")


@click.command("resume", short_help="Open a shell in a reviewer's box.")
@click.argument("review_id")
@click.argument("role")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def resume(review_id: str, role: str, command: tuple[str, ...]) -> None:
    """Wake a reviewer's box as it was left, and open a shell in it; with COMMAND run that instead."""
    with errors_as_exit_codes(), server("auto") as address:
        if not command and not sys.stdin.isatty():
            raise InputError(f"a shell needs a terminal; `box-review resume {review_id} {role} -- COMMAND` needs none")
        report = _reviewer(_record(address, review_id), role, agent=False)
        found = _box(address, f"{review_id}-{report.role}")
        sys.exit(run(found, command or SHELL, tty=not command, interactive=not command, workdir=REPOSITORY))


def answers(address: Address, review_id: str, role: str, question: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """What a reviewer's agent says to a question, event by event; the last is `done` with its `output`, or `error`.

    Raises:
        RequestRejected: its box is gone, or it is no agent.
        ServerUnavailable: no answer.
    """
    yield from _events(address, f"{review_id}-{role}", {"prompt": question, "folder": REPOSITORY})


def _record(address: Address, review_id: str) -> ReviewRecord:
    with Client(address) as client:
        return client.record(review_id)


def _reviewer(record: ReviewRecord, role: str | None, *, agent: bool) -> RoleReport:
    """The reviewer meant. Raises InputError if there is none, or it is no agent that could answer."""
    reports = {report.role: report for report in record.roles}
    if role is not None and role not in reports:
        raise InputError(f"review {record.review_id} has no reviewer {role!r}; it has {', '.join(reports)}")
    able = [report for report in reports.values() if report.session_id or not agent]
    wanted = [report for report in able if role in (None, report.role)]
    if not wanted:
        what = f"{role} was" if role else "its reviewers were"
        raise InputError(f"no agent can answer for review {record.review_id}: {what} static, or did not come to a session")
    return max(wanted, key=lambda report: report.findings)


def _box(address: Address, name: str) -> Box:
    try:
        return Boxes(address).get(name)
    except BoxError as error:
        raise InputError(f"the box {name} is not there any more: {error}") from error


def _events(address: Address, name: str, body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What an agent says, as it comes."""
    headers, timeout = {"X-Box-Api-Key": address.api_key}, httpx.Timeout(30, read=_SILENCE_S)
    try:
        with httpx.stream("POST", f"{address.url}/v2/box/{name}/run/stream", json=body, headers=headers, timeout=timeout) as answer:
            if answer.is_error:
                answer.read()
                raise RequestRejected(str(answer.json().get("error", answer.status_code)), answer.status_code)
            kind = ""
            for line in answer.iter_lines():
                if line.startswith("event: "):
                    kind = line[7:]
                elif line.startswith("data: "):
                    yield kind, json.loads(line[6:])
    except (httpx.TransportError, ValueError) as error:
        raise ServerUnavailable(f"no answer from the server at {address.url}: {error or type(error).__name__}") from error
