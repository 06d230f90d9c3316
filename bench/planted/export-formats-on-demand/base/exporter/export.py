"""Exporting in a format by its name."""

from __future__ import annotations

from exporter import csv_format, xml_format
from exporter.table import Table

FORMATS = {"csv": csv_format.write, "xml": xml_format.write}


def export(table: Table, name: str) -> str:
    """Return a table in a format."""
    if name not in FORMATS:
        raise ValueError(f"no such format: {name}")
    return FORMATS[name](table)
