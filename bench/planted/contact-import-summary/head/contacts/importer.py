"""Importing contacts from CSV."""

from __future__ import annotations

import csv
import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass

from contacts.store import Store


logger = logging.getLogger(__name__)


class BadRow(Exception):
    """A row cannot be imported."""


@dataclass
class Summary:
    """What an import did."""

    added: int = 0
    changed: int = 0
    seconds: float = 0.0


def import_rows(lines: Iterable[str], store: Store) -> Summary:
    """Import all rows; the first bad one ends the import.

    How many rows were read and how long it took is logged in any case.
    """
    summary = Summary()
    started = time.monotonic()
    try:
        for number, row in enumerate(csv.DictReader(lines), start=2):
            mail = (row.get("mail") or "").strip().lower()
            if "@" not in mail:
                raise BadRow(f"line {number}: not a mail address: {mail!r}")
            if store.put(mail, (row.get("name") or "").strip()):
                summary.added += 1
            else:
                summary.changed += 1
    finally:
        summary.seconds = time.monotonic() - started
        logger.info("%d rows in %.1f s", summary.added + summary.changed, summary.seconds)
        return summary
