"""Runs grimp over source folders: JSON `[{folder, packages}]` in, `[{imports: [[importer, imported, line]], skipped}]` out.

Packages are found by their folder, never by Python's import system: a repository may call its package `json`.
Modules that do not parse are left out and counted, for grimp gives up at the first.
"""

from __future__ import annotations

import ast
import json
import pathlib
import sys
from typing import Any

sys.path.insert(0, sys.argv[1])

import grimp
import grimp.exceptions
from grimp.application.config import settings

ATTEMPTS = 50


class FolderFinder:
    """Finds a top-level package in one folder."""

    folder = ""

    def determine_package_directories(self, package_name: str, file_system: object) -> set[str]:
        return {str(pathlib.Path(self.folder, package_name))}


def build(folder: str, packages: list[str], finder: FolderFinder) -> dict[str, Any]:
    """The imports below one folder, with the number of modules left out because they cannot be read."""
    finder.folder = folder
    skipped = 0
    for attempt in range(ATTEMPTS):
        try:
            return {"imports": _imports(packages) if packages else [], "skipped": skipped}
        except (SyntaxError, ValueError, grimp.exceptions.SourceSyntaxError) as error:
            emptied = _weed(folder) if attempt == 0 else _empty(str(getattr(error, "filename", "")))
            if not emptied and attempt:
                raise
            skipped += emptied
    raise RuntimeError(f"more than {ATTEMPTS} modules cannot be parsed")


def _imports(packages: list[str]) -> list[list[Any]]:
    graph = grimp.build_graph(*packages, exclude_type_checking_imports=True, cache_dir=None)
    return [
        [importer, imported, detail["line_number"]]
        for importer in sorted(graph.modules)
        for imported in sorted(graph.find_modules_directly_imported_by(importer))
        for detail in graph.get_import_details(importer=importer, imported=imported)
    ]


def _weed(folder: str) -> int:
    """Empty the modules that this Python cannot parse; returns how many."""
    emptied = 0
    for path in pathlib.Path(folder).rglob("*.py"):
        try:
            ast.parse(path.read_bytes().decode("utf-8"))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            emptied += _empty(str(path))
    return emptied


def _empty(path: str) -> int:
    if not path.endswith(".py") or not pathlib.Path(path).is_file():
        return 0
    pathlib.Path(path).write_bytes(b"")
    return 1


def main() -> None:
    finder = FolderFinder()
    settings.configure(PACKAGE_FINDER=finder)
    print(json.dumps([build(item["folder"], item["packages"], finder) for item in json.load(sys.stdin)]))


if __name__ == "__main__":
    main()
