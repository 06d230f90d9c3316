"""`box-review replay`: what a review measured, measured again."""

from __future__ import annotations

import sys

import click

from box_review.cli import errors_as_exit_codes
from box_review.client import Client
from box_review.difference import Difference, differences
from box_review.exit_codes import FOUND, INCOMPLETE, OK
from box_review.progress import Progress
from box_review.review import ReviewRecord, ReviewStatus
from box_review.sanitize import for_json, for_terminal
from box_review.serving import server


@click.command("replay", short_help="Measure again what a review has measured.")
@click.argument("review_id")
@click.option("--json", "as_json", is_flag=True, help="Print the differences as JSON objects, one a line.")
@click.option("--quiet", "-q", is_flag=True, help="No progress on standard error.")
def replay(review_id: str, as_json: bool, quiet: bool) -> None:
    """Let the jury work once more on what the reviewers of REVIEW_ID handed over, and print what comes out otherwise.

    The lines of claims are looked up, evidence is collected and reproducers are run again, in fresh boxes. No model is asked: the
    jury's votes are those of the record. The server is the one that reviewed: BOX_REVIEW_URL, or one started here on the same data
    directory. Reviews can be replayed for 30 days.

    Exit codes: 0 nothing came out otherwise, 1 something, 2 wrong usage or input, 3 the replay is incomplete.
    """
    with errors_as_exit_codes():
        with server("auto") as address, Client(address) as client, Progress(quiet=quiet) as progress:
            before = client.record(review_id)
            after = client.replay(review_id, on_event=progress.show)
        found = differences(before, after)
        for difference in found:
            for line in [for_json(difference.model_dump_json())] if as_json else map(for_terminal, _lines(difference)):
                click.echo(line)
        if not as_json:
            _conclude(before, after, found)
        sys.exit(INCOMPLETE if _less(before, after) else FOUND if found else OK)


def _less(before: ReviewRecord, after: ReviewRecord) -> bool:
    """True if the replay could not measure all that the review did."""
    unmeasured = after.jury is None or after.jury.status != "completed"
    return unmeasured or (before.status is ReviewStatus.COMPLETED is not after.status)


def _lines(difference: Difference) -> tuple[str, ...]:
    place = f"{difference.path}:{difference.line}"
    return (
        f"{difference.finding}  {place}  {difference.title}",
        f"    before: {difference.before}",
        f"    now:    {difference.after}",
    )


def _conclude(before: ReviewRecord, after: ReviewRecord, found: tuple[Difference, ...]) -> None:
    for sentence in after.not_covered:
        if sentence not in before.not_covered:
            click.echo(for_terminal(f"Note: {sentence}"))
    number, jury = len(before.findings) + len(before.dropped), after.jury
    if jury is not None and jury.status == "completed":
        measured = f"{jury.rechecked} findings' evidence collected again, {jury.proofs} reproducers run again"
        came = f"{len(found)} of {number} came out otherwise" if found else f"all {number} findings came out as before"
        click.echo(f"{came} ({measured}).")
    if _less(before, after):
        click.echo(for_terminal(f"The replay is incomplete: {jury.error if jury and jury.error else after.summary}"))
    click.echo(f"Its record: {after.review_id}")
