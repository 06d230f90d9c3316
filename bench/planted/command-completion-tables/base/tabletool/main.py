"""The command."""

from __future__ import annotations

import sys

from tabletool.arguments import complete, parser


def main(arguments: list[str]) -> int:
    """Run the command."""
    if arguments[:1] == ["--complete"]:
        print("\n".join(complete(arguments[1] if len(arguments) > 1 else "")))
        return 0
    options = parser().parse_args(arguments)
    from tabletool.storage import TABLES, rows

    if options.table not in TABLES:
        print(f"no such table: {options.table}", file=sys.stderr)
        return 2
    separator = "," if options.format == "csv" else "  "
    for row in rows(options.database, options.table):
        print(separator.join(map(str, row)))
    return 0
