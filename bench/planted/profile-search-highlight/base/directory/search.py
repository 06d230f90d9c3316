"""Searching profiles."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """What a person says about themselves."""

    name: str
    about: str


def find(profiles: Iterable[Profile], term: str) -> list[Profile]:
    """Return the profiles that contain the term, whatever its case."""
    folded = term.casefold()
    return [p for p in profiles if folded in p.name.casefold() or folded in p.about.casefold()]
