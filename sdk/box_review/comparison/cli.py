"""`box-review compare`: models side by side from the command line."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import click

from box_review import exit_codes
from box_review.cli import errors_as_exit_codes
from box_review.comparison.answer import Status
from box_review.comparison.comparing import Wish, compare_plan, plan_of
from box_review.comparison.progress import Progress
from box_review.comparison.report import FORMATS, render


@click.command("compare", short_help="Compare models on the same inputs.")
@click.argument("spec", type=click.Path(path_type=Path, readable=False))
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder of answers and all reports.  [default: SPEC-comparison]"
)
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="text", show_default=True, help="What to print; --out gets all of them."
)
@click.option("--at-once", type=click.IntRange(1, 64), metavar="N", help="Boxes side by side.  [default: the spec's]")
@click.option(
    "--budget", "budget_usd", type=click.FloatRange(min=0, min_open=True), metavar="USD", help="For all cells.  [default: the spec's]"
)
@click.option("--retry-failed", "again", is_flag=True, help="Ask again what failed in an earlier run.")
@click.option("--driver", default="auto", show_default=True, help="What isolates the boxes; `box-review doctor` lists them.")
@click.option("--quiet", "-q", is_flag=True, help="Show no progress.")
def compare(spec: Path, out: Path | None, form: str, quiet: bool, **how: Any) -> None:
    """Ask every model every prompt for every input, each in a box of its own from one snapshot, and say what can be told apart.

    \b
    A run that was interrupted goes on where it was: answers in --out are not asked for again.
    Exit codes: 0 done, 2 wrong usage, spec or set-up, 3 cells not run, scores that could not be told, or no cell answered.
    """
    with errors_as_exit_codes():
        plan = plan_of(spec, Path())
        with Progress(quiet=quiet) as progress:
            where = out or Path(f"{spec.stem}-comparison")
            try:
                comparison = compare_plan(plan, Wish(where, watch=progress.show, **how))
            except KeyboardInterrupt:
                click.echo(f"box-review: interrupted; what was answered is in {where}, and the same command goes on from there", err=True)
                sys.exit(exit_codes.INTERRUPTED)
        click.echo(render(comparison, form, width=max(60, shutil.get_terminal_size((120, 24)).columns)), nl=False)
        if not quiet:
            click.echo(f"Reports: {where / 'report.html'}, .json, .xml, .md", err=True)
        answered = any(cell.answer.status is Status.ANSWERED for cell in comparison.cells)
        sys.exit(exit_codes.OK if comparison.complete and answered else exit_codes.INCOMPLETE)
