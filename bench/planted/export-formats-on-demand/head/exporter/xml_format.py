"""Tables as XML."""

from __future__ import annotations

from xml.etree import ElementTree

from exporter.table import Table


def write(table: Table) -> str:
    """Return a table as XML."""
    root = ElementTree.Element("table")
    for row in table.rows:
        element = ElementTree.SubElement(root, "row")
        for column, value in zip(table.columns, row):
            ElementTree.SubElement(element, "value", name=column).text = value
    return ElementTree.tostring(root, encoding="unicode")
