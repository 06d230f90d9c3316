"""The command line."""

from __future__ import annotations

import argparse

from tabletool.names import FORMATS
from tabletool.storage import TABLES


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    result = argparse.ArgumentParser(prog="tabletool", description="Shows tables of a database.")
    result.add_argument("database")
    result.add_argument("table", choices=sorted(TABLES), help="one of: %(choices)s", metavar="table")
    result.add_argument("--format", choices=FORMATS, default="text")
    return result


def complete(word: str) -> list[str]:
    """Return what a word on the command line may become: an option, a format or a table."""
    options = [option for action in parser()._actions for option in action.option_strings]
    return sorted(option for option in (*options, *FORMATS, *TABLES) if option.startswith(word))
