"""Tables as CSV."""

from __future__ import annotations

import csv
import io

from exporter.table import Table


def write(table: Table) -> str:
    """Return a table as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(table.rows)
    return out.getvalue()
