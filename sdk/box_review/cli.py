"""The command line `box-review`.

`review` is here; `serve` and `doctor` belong to the application and are found by their entry points.

Exit codes: 0 nothing at or above --fail-on; 1 something; 2 the command or what it was given cannot be used;
3 the review is incomplete or could not be done.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click

from box_review import __version__, exit_codes
from box_review.client import Client, Options
from box_review.config import FILE as CONFIG_FILE
from box_review.config import RepoConfig, base_config
from box_review.errors import BoxReviewError, ConfigInvalid, InputError, ServerMissing
from box_review.finding import Severity
from box_review.progress import Progress
from box_review.report import FORMATS, render
from box_review.review import DEFAULT_ROLES, Reviewer, ReviewRecord
from box_review.sanitize import for_terminal
from box_review.serving import INSTALL, entry, server
from box_review.source import Change, find_change

APPLICATION_COMMANDS = ("serve", "doctor", "harness", "deliveries")
LATER_COMMANDS = {
    "box": "box_cli",
    "keys": "box_cli",
    "ask": "follow_up",
    "resume": "follow_up",
    "replay": "replay",
    "agent": "agent_server.cli",
    "compare": "comparison.cli",
    "config": "config_cli",
    "knowledge": "knowledge_cli",
}


class _Commands(click.Group):
    """The commands of the SDK and, where it is installed, of the application."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *APPLICATION_COMMANDS, *LATER_COMMANDS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in LATER_COMMANDS:  # the client of boxes takes half a second to load
            group: click.Command = getattr(importlib.import_module(f"box_review.{LATER_COMMANDS[cmd_name]}"), cmd_name)
            return group
        if cmd_name not in APPLICATION_COMMANDS:
            return super().get_command(ctx, cmd_name)
        try:
            command: click.Command = entry(cmd_name)
        except ServerMissing:
            return click.Command(cmd_name, callback=_missing, short_help="Not installed here: pipx install box-review.")
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="box-review")
def main() -> None:
    """Reviews pull requests: every reviewer in a box of its own, a jury that checks what they claim."""


@main.command("review", short_help="Review a change of a local repository.")
@click.argument("path", type=click.Path(path_type=Path, readable=False), default=Path())
@click.option("--base", metavar="REV", help="Compare against this revision.  [default: the default branch, or the parent commit]")
@click.option("--head", metavar="REV", help="Review this revision.  [default: HEAD]")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help=f"Reviewer to run; repeatable.  [default: {', '.join(DEFAULT_ROLES)}]")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True, help="How to print the review.")
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Write the review to this file.  [default: standard output]"
)
@click.option(
    "--fail-on",
    type=click.Choice([*(severity.value for severity in Severity), "never"]),
    help="Exit with 1 if a finding is at least this severe.  [default: high]",
)
@click.option("--driver", default="auto", show_default=True, help="What isolates the boxes; `box-review doctor` lists them.")
@click.option("--harness", help="What reviews: builtin, claude-code, codex, opencode, or static (analyzers only).  [default: auto]")
@click.option("--model", metavar="MODEL", help="anthropic/NAME, openai/NAME, responses/NAME or NAME.  [default: the host's]")
@click.option(
    "--fallback-model", "fallback_models", multiple=True, metavar="MODEL", help="Asked when the model stays overloaded; repeatable."
)
@click.option(
    "--budget", "budget_usd", type=click.FloatRange(min=0, min_open=True), metavar="USD", help="What the review may cost at most."
)
@click.option("--jury", "jury", metavar="HARNESS[:MODEL]", help="What judges.  [default: as the reviewers]")
@click.option("--instructions", metavar="TEXT", help="What all agents are told besides.")
@click.option("--timeout", type=click.FloatRange(min=1, max=86400), metavar="SECONDS", help="Time the reviewers have.  [default: 900]")
@click.option("--no-config", is_flag=True, help="Leave .github/box-review.yml of the base aside.")
@click.option("--quiet", "-q", is_flag=True, help="No progress on standard error.")
def review_command(path: Path, **given: Any) -> None:
    """Review the commits of a local git repository between base and head.

    What no option decides, .github/box-review.yml of the base does.

    Uses the server at BOX_REVIEW_URL (with BOX_REVIEW_API_KEY) or starts one of its own for as long as it takes.

    Exit codes: 0 nothing at or above --fail-on, 1 something, 2 wrong usage or input, 3 review incomplete.
    """
    with errors_as_exit_codes():
        wish = _Wish(path=path, **given)
        sys.exit(_review(wish))


@dataclass(frozen=True)
class _Wish:
    """The options of `review`, as given."""

    path: Path
    base: str | None
    head: str | None
    roles: Sequence[str]
    form: str
    output: Path | None
    fail_on: str | None
    driver: str
    harness: str | None
    model: str | None
    fallback_models: Sequence[str]
    budget_usd: float | None
    jury: str | None
    instructions: str | None
    timeout: float | None
    no_config: bool
    quiet: bool

    def options(self, config: RepoConfig) -> Options:
        """What the server is asked: what was given, then what the repository's owners decided, then what is usual."""
        given: dict[str, Any] = {
            "roles": tuple(dict.fromkeys(self.roles)) or None,
            "harness": self.harness,
            "model": self.model,
            "fallback_models": tuple(self.fallback_models) or None,
            "budget_usd": self.budget_usd,
            "jury": None if self.jury is None else Reviewer(harness=self.jury.partition(":")[0], model=self.jury.partition(":")[2]),
            "instructions": self.instructions,
            "driver": self.driver,
            "timeout_s": self.timeout,
        }
        given = {name: value for name, value in given.items() if value is not None}
        if self.fail_on is not None:
            given["fail_on"] = None if self.fail_on == "never" else Severity(self.fail_on)
        return Options(**config.under(given))


def _review(wish: _Wish) -> int:
    _check_output(wish.output)
    change = find_change(wish.path, wish.base, wish.head)
    try:
        config = RepoConfig() if wish.no_config else base_config(change)
    except ConfigInvalid as error:
        raise InputError(f"{error}\n(--no-config reviews without it)") from error
    options = wish.options(config)
    if not wish.quiet:
        _say_what(change, config)
    with server(wish.driver) as address, Client(address) as client, Progress(quiet=wish.quiet) as progress:
        record = client.review_change(change, options=options, on_event=progress.show)
    _print(record, wish)
    return exit_codes.of_review(record, options.fail_on)


def _say_what(change: Change, config: RepoConfig) -> None:
    click.echo(
        for_terminal(f"Reviewing {change.name}: {change.head} ({change.head_sha[:12]}) against {change.base} ({change.base_sha[:12]})"),
        err=True,
    )
    if config.model_fields_set:
        click.echo(for_terminal(f"Using {CONFIG_FILE} of {change.base}: {', '.join(sorted(config.model_fields_set))}"), err=True)
    if change.uncommitted:
        plural = "s" if change.uncommitted != 1 else ""
        click.echo(f"Note: {change.uncommitted} file{plural} with uncommitted changes; only commits are reviewed.", err=True)


def _print(record: ReviewRecord, wish: _Wish) -> None:
    if wish.output is None:
        color = wish.form == "text" and _colored()
        click.echo(render(record, wish.form, color=color, width=_width()), nl=False, color=color)
        return
    try:
        wish.output.write_text(render(record, wish.form), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{wish.output} cannot be written: {error.strerror}") from error


def _missing() -> NoReturn:
    click.echo(f"box-review: {INSTALL}", err=True)
    sys.exit(exit_codes.USAGE)


def _check_output(output: Path | None) -> None:
    """Find out before the work that its result could not be written."""
    if output is None:
        return
    try:
        existed = output.exists()
        with output.open("a"):
            pass
        if not existed:
            output.unlink()
    except OSError as error:
        raise InputError(f"{output} cannot be written: {error.strerror}") from error


@contextlib.contextmanager
def errors_as_exit_codes() -> Iterator[None]:
    """One sentence and an exit code for what is no bug."""
    try:
        with exit_codes.sigterm_interrupts():
            yield
    except BoxReviewError as error:
        for number, line in enumerate(str(error).splitlines() or [""]):
            click.echo(f"{'  ' if number else 'box-review: '}{for_terminal(line)}", err=True)
        sys.exit(exit_codes.of_error(error))
    except KeyboardInterrupt:
        click.echo("box-review: interrupted; the review is cancelled", err=True)
        sys.exit(exit_codes.INTERRUPTED)


def _colored() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _width() -> int:
    return max(60, min(120, shutil.get_terminal_size((100, 24)).columns))
