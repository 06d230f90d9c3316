"""Relative import cycles between JavaScript and TypeScript modules; type-only imports do not count."""

from __future__ import annotations

import posixpath
import re

from . import graph
from .model import Context, Outcome, Place, Raw
from .text import clip, show

LIMIT = 5000
_FILE_LIMIT = 300_000
_ENDINGS = (b".ts", b".tsx", b".js", b".jsx", b".mjs", b".cjs", b".mts", b".cts")
_IMPORT = re.compile(
    rb"""^[ \t]*(?:import|export)\b(?!\s*type\b)[^'";]{0,2000}?\bfrom\s*['"](\.[^'"\n]+)['"]"""
    rb"""|^[ \t]*import\s*['"](\.[^'"\n]+)['"]"""
    rb"""|^[^\n/]{0,200}\brequire\(\s*['"](\.[^'"\n]+)['"]\s*\)""",
    re.MULTILINE,
)


def collect(context: Context) -> Outcome:
    """One result for each new cycle, at an added import that closes it."""
    if not any(change.path.endswith(_ENDINGS) for change in context.changes):
        return Outcome()
    head, base = (_files(context, sha) for sha in (context.head_sha, context.base_sha))
    if len(head) > LIMIT:
        return Outcome(not_covered=[f"Import cycles were not looked for: more than {LIMIT} JavaScript and TypeScript modules."])
    data = context.repository.blobs([*head.values(), *base.values()], _FILE_LIMIT)
    renames = {c.old_path: c.path for c in context.changes if c.status == "renamed"}
    now, before = _imports(head, data, {}), _imports(base, data, renames)
    places = {show(change.path): index for index, change in enumerate(context.changes)}
    outcome = Outcome()
    edges = graph.adjacency(now)
    for pairs in graph.new_cycles(graph.adjacency(before), edges):
        for importer, imported in sorted(pairs):
            index, line = places.get(importer), now[importer, imported]
            if index is not None and context.changes[index].touches(line, line):
                names = [importer, *graph.path(edges, imported, importer)]
                message = f"`{importer}` imports `{imported}`: {' → '.join(names)}"
                extra: dict[str, object] = {"importer": importer, "imported": imported, "name": clip(" → ".join(names), 400)}
                outcome.results.append(Raw(Place("head", index), "import-cycle", line, line, clip(message), extra, settled=True))
                break
    return outcome


def _files(context: Context, commit: str) -> dict[bytes, str]:
    found = {}
    for entry in context.repository.run("ls-tree", "-r", "-z", "--full-tree", commit).stdout.split(b"\0"):
        meta, _, path = entry.partition(b"\t")
        if path.endswith(_ENDINGS) and meta.startswith(b"100") and b"node_modules/" not in path and not path.endswith(b".d.ts"):
            found[path] = meta.split()[2].decode()
    return found


def _imports(files: dict[bytes, str], data: dict[str, bytes], renames: dict[bytes, bytes]) -> dict[tuple[str, str], int]:
    """The line of the first import for each pair of modules."""
    found: dict[tuple[str, str], int] = {}
    for path, blob in files.items():
        text = data.get(blob, b"")
        for match in _IMPORT.finditer(text):
            target = _resolve(path, match[1] or match[2] or match[3], files)
            if target:
                pair = (show(renames.get(path, path)), show(renames.get(target, target)))
                found.setdefault(pair, text.count(b"\n", 0, match.end()) + 1)
    return found


def _resolve(importer: bytes, name: bytes, files: dict[bytes, str]) -> bytes | None:
    base = posixpath.normpath(posixpath.join(posixpath.dirname(importer), name))
    stem = re.sub(rb"\.[cm]?js$", b"", base)
    candidates = [base, *(stem + e for e in _ENDINGS), *(base + e for e in _ENDINGS), *(base + b"/index" + e for e in _ENDINGS)]
    return next((path for path in candidates if path in files), None)
