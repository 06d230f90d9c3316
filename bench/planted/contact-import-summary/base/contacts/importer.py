"""Importing contacts from CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass

from contacts.store import Store


class BadRow(Exception):
    """A row cannot be imported."""


@dataclass
class Summary:
    """What an import did."""

    added: int = 0
    changed: int = 0


def import_rows(lines: Iterable[str], store: Store) -> Summary:
    """Import all rows; the first bad one ends the import."""
    summary = Summary()
    for number, row in enumerate(csv.DictReader(lines), start=2):
        mail = (row.get("mail") or "").strip().lower()
        if "@" not in mail:
            raise BadRow(f"line {number}: not a mail address: {mail!r}")
        if store.put(mail, (row.get("name") or "").strip()):
            summary.added += 1
        else:
            summary.changed += 1
    return summary
