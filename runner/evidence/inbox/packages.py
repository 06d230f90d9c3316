"""Python packages of both versions, written out as trees that grimp can read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .model import Context

LIMIT = 8000
_NOT_PRODUCT = ("tests", "test", "testing", "docs", "examples")


@dataclass
class Forest:
    """The packages below one source folder, at one version.

    `files` leads from a module's name to its path in the repository.
    """

    folder: Path
    packages: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)


def python_files(context: Context, commit: str) -> dict[bytes, str]:
    """Blob ids of all regular Python files of a commit, by path."""
    found = {}
    for entry in context.repository.run("ls-tree", "-r", "-z", "--full-tree", commit).stdout.split(b"\0"):
        meta, _, path = entry.partition(b"\t")
        if path.endswith(b".py") and meta.startswith(b"100"):
            found[path] = meta.split()[2].decode()
    return found


def roots(files: dict[bytes, str], changed: set[bytes]) -> dict[bytes, set[bytes]]:
    """Top-level packages (folders with an `__init__.py`, below one without) by their source folder.

    Only source folders in which something changed: the others' imports are as they were.
    """
    inits = {path.rpartition(b"/")[0] for path in files if path.rsplit(b"/", 1)[-1] == b"__init__.py"}
    tops: dict[bytes, set[bytes]] = {}
    for package in inits:
        parent, _, name = package.rpartition(b"/")
        usable = name.isascii() and name.decode("ascii", "replace").isidentifier() and name.decode() not in _NOT_PRODUCT
        if usable and parent not in inits:
            tops.setdefault(parent, set()).add(package)
    return {parent: found for parent, found in tops.items() if any(path.startswith(p + b"/") for p in found for path in changed)}


def plant(context: Context, files: dict[bytes, str], data: dict[str, bytes], tops: dict[bytes, set[bytes]], side: str) -> list[Forest]:
    """Write the packages under the scratch folder; only plain names, so no path can lead out of it."""
    forests = []
    for number, (parent, packages) in enumerate(sorted(tops.items())):
        forest = Forest(Path(context.scratch, "grimp", side, str(number)))
        forests.append(forest)
        for package in sorted(packages):
            _plant(forest, package, parent, files, data)
    return forests


def _plant(forest: Forest, package: bytes, parent: bytes, files: dict[bytes, str], data: dict[str, bytes]) -> None:
    skip = len(parent) + 1 if parent else 0
    planted = False
    for path, blob in files.items():
        if not path.startswith(package + b"/") or blob not in data:
            continue
        parts = path[skip:-3].decode("utf-8", "replace").split("/")
        if not all(part.isascii() and part.isidentifier() for part in parts):
            continue
        target = forest.folder.joinpath(*parts).with_suffix(".py")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data[blob])
        forest.files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
        planted = True
    if planted:
        forest.packages.append(package[skip:].decode())
