"""`box-review harness`: which agents this host has, and how it gets the others."""

from __future__ import annotations

import json
import sys

import click

from runner.errors import RunnerError
from runner.harness import install
from runner.settings import RunnerSettings

BUILT_IN = {
    "static": "analyzers only; needs no model",
    "builtin": "a loop of our own around any OpenAI- or Anthropic-compatible model",
    "custom": "a program of yours in the box that speaks box-sse-v1 (box API alone)",
}


@click.group("harness", invoke_without_command=True, short_help="List, add and remove the agents of this host.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """What drives models in the boxes of this host. Without a command: list them."""
    if ctx.invoked_subcommand is not None:
        return
    settings = RunnerSettings()
    there = install.installed(settings.harness_dir)
    if as_json:
        rows = [{"name": name, "version": package.version, "installed": name in there} for name, package in install.PACKAGES.items()]
        click.echo(json.dumps({"model": settings.model, "default": settings.harness, "harnesses": rows}, indent=2))
        return
    for name, what in BUILT_IN.items():
        click.echo(f"{name:12}  here        {what}")
    for name, package in install.PACKAGES.items():
        what = f"box-review harness add {name}" if name not in there else str(install.folder_of(settings.harness_dir, name))
        click.echo(f"{name:12}  {'here' if name in there else 'not here':10}  {package.version}  {what}")
    click.echo(f"\nreviews use {settings.harness}" + (f" with {settings.model}" if settings.model else "; no model is configured"))


@command.command("add", short_help="Fetch an agent.")
@click.argument("names", nargs=-1, required=True, type=click.Choice([*install.PACKAGES, "all"]))
def add(names: tuple[str, ...]) -> None:
    """Fetch agents at their pinned versions, check their digests, and lay them out for boxes. Running servers see them after a restart."""
    folder = RunnerSettings().harness_dir
    for name in install.PACKAGES if "all" in names else dict.fromkeys(names):
        try:
            target = install.add(folder, name, _show(name))
        except RunnerError as error:
            click.echo(f"box-review: {error}", err=True)
            sys.exit(3)
        click.echo(f"{name} {install.PACKAGES[name].version}: {target}")


@command.command("remove", short_help="Remove an agent.")
@click.argument("names", nargs=-1, required=True, type=click.Choice([*install.PACKAGES]))
def remove(names: tuple[str, ...]) -> None:
    """Remove agents. Boxes that were made with one can no longer start."""
    for name in names:
        gone = install.remove(RunnerSettings().harness_dir, name)
        click.echo(f"{name}: {'removed' if gone else 'was not here'}")


def _show(name: str) -> install.Progress | None:
    """Progress for a terminal."""
    if not sys.stderr.isatty():
        return None

    def show(so_far: int, size: int) -> None:
        share = f"{100 * so_far // size} %" if size else f"{so_far >> 20} MB"
        click.echo(f"\r\x1b[K{name}: {share}", err=True, nl=so_far == size)

    return show
