"""`box-review config`: the file in which a repository says how it wants to be reviewed."""

from __future__ import annotations

import json
from pathlib import Path

import click

from box_review.cli import errors_as_exit_codes
from box_review.config import FILE, MOST_BYTES, RepoConfig, read_config
from box_review.errors import InputError
from box_review.learned_file import FILE as LEARNED
from box_review.learned_file import read_learned
from box_review.report import wording
from box_review.sanitize import for_terminal


@click.group("config", short_help="Check .github/box-review.yml.")
def config() -> None:
    """How a repository says how it wants to be reviewed, in .github/box-review.yml."""


@config.command("validate")
@click.argument("file", type=click.Path(path_type=Path), default=Path(FILE))
def validate(file: Path) -> None:
    """Check FILE and print every problem with its line.  [default: .github/box-review.yml]

    A FILE by the name of box-review-learned.yml is checked as learned rules.

    Exit codes: 0 it can be used, 2 it cannot.
    """
    with errors_as_exit_codes():
        try:
            with file.open("rb") as opened:
                text = opened.read(MOST_BYTES + 1)
        except OSError as error:
            raise InputError(f"{file} cannot be read: {error.strerror}") from error
        if file.name == Path(LEARNED).name:
            rules = read_learned(text, str(file))
            click.echo(for_terminal(f"{file} is valid; it has {wording.plural(len(rules), 'rule')}."))
            return
        decided = read_config(text, str(file)).model_dump(mode="json", exclude_unset=True)
        said = f"; it decides {', '.join(sorted(decided))}." if decided else " and decides nothing."
        click.echo(for_terminal(f"{file} is valid{said}"))


@config.command("schema")
def schema() -> None:
    """Print the file's JSON schema, for editors."""
    click.echo(json.dumps(RepoConfig.model_json_schema(), indent=2))
