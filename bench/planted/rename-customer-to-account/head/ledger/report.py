"""Reports."""

from __future__ import annotations

from collections.abc import Iterable

from ledger.customers import Ledger, UnknownAccount


def report(ledger: Ledger, names: Iterable[str]) -> list[str]:
    """Return a line for every name."""
    lines = []
    for name in names:
        try:
            lines.append(f"{name}: {ledger.get(name).balance / 100:.2f}")
        except UnknownAccount:
            lines.append(f"{name}: unknown")
    return lines
