"""The configuration: a name and the path of an interpreter in each line."""

from __future__ import annotations

from pathlib import PurePosixPath


def read(text: str) -> dict[str, str]:
    """Return the interpreters by the name of their environment."""
    found = {}
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.partition("#")[0].strip()
        if not line:
            continue
        name, separator, path = line.partition("=")
        if not separator or not PurePosixPath(path.strip()).is_absolute():
            raise ValueError(f"line {number}: expected name = /absolute/path")
        found[name.strip()] = path.strip()
    return found
