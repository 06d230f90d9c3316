"""Exporting in a format by its name; the module of a format is loaded when it is first used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporter.table import Table

FORMATS = {"csv": "exporter.csv_format", "xml": "exporter.xml_format"}


def format_names() -> list[str]:
    """Return the names of all formats."""
    return sorted(FORMATS)


def export(table: Table, name: str) -> str:
    """Return a table in a format."""
    if name not in FORMATS:
        raise ValueError(f"no such format: {name} (there are: {', '.join(format_names())})")
    text: str = import_module(FORMATS[name]).write(table)
    return text
