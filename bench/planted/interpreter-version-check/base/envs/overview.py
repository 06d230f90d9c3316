"""The overview of all environments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def overview(interpreters: Mapping[str, str]) -> list[str]:
    """Return one line per environment."""
    width = max(map(len, interpreters), default=0)
    lines = []
    for name, path in sorted(interpreters.items()):
        state = "found" if Path(path).is_file() else "missing"
        lines.append(f"{name:<{width}}  {path}  {state}")
    return lines
