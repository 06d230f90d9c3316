"""grimp: how modules import each other, before and after."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from . import graph
from .enclosing import function_at
from .model import Context, Outcome, Place, Raw
from .packages import LIMIT, Forest, plant, python_files, roots
from .text import clip

_FAILED = "failed"


@dataclass(frozen=True)
class Import:
    """One import statement; a deferred one runs when a function is called, not when the module loads."""

    line: int
    deferred: bool


@dataclass
class Version:
    """The import graph of one version: statements by (importer, imported)."""

    imports: dict[tuple[str, str], list[Import]] = field(default_factory=dict)

    def edges(self) -> dict[str, list[str]]:
        return graph.adjacency(self.imports)


def collect(context: Context) -> Outcome:
    """New cycles, turned layers and new dependencies between the parts of each source folder."""
    changed = {path for c in context.changes for path in (c.path, c.old_path) if path.endswith(b".py")}
    if not changed:
        return Outcome()
    problem = _unusable(context)
    if problem:
        return Outcome(status="missing", detail=problem)
    head, base = (python_files(context, sha) for sha in (context.head_sha, context.base_sha))
    tops = roots({**base, **head}, changed)
    if not tops:
        return Outcome()
    wanted = [
        blob for files in (head, base) for path, blob in files.items() if any(path.startswith(p + b"/") for t in tops.values() for p in t)
    ]
    if len(set(wanted)) > 2 * LIMIT:
        return Outcome(not_covered=[f"The import graph was not built: more than {LIMIT} modules."])
    data = context.repository.blobs(wanted)
    forests = {side: plant(context, files, data, tops, side) for side, files in (("head", head), ("base", base))}
    outcome = _compare(context, forests)
    lost = len(set(wanted)) - len(data)
    if lost:
        outcome.not_covered.append(f"{lost} modules above the size limits are not part of the import graph.")
    return outcome


def _unusable(context: Context) -> str:
    if not context.has_library("grimp"):
        return "the toolbox has no grimp; imports were not compared"
    wanted = f"cpython-{sys.version_info[0]}{sys.version_info[1]}"
    built = [path.name for path in Path(context.tools_dir, "lib", "grimp").glob("_rustgrimp*.so")]
    if any(wanted in name or "abi3" in name for name in built):
        return ""
    return (
        f"grimp is built for another Python ({', '.join(built) or 'no compiled part'}) than the box's {wanted}; imports were not compared"
    )


def _compare(context: Context, forests: dict[str, list[Forest]]) -> Outcome:
    asked = [{"folder": str(f.folder), "packages": f.packages} for side in ("base", "head") for f in forests[side]]
    done = context.worker("grimp_worker.py", json.dumps(asked).encode(), 60)
    if done.timed_out:
        return Outcome(status="timed_out", detail="grimp ran out of time")
    if done.returncode or done.truncated:
        return Outcome(status=_FAILED, detail=clip(done.stderr.decode("utf-8", "replace").strip()[-300:]))
    answers = json.loads(done.stdout)
    outcome = Outcome()
    half = len(forests["base"])
    skipped = sum(answer["skipped"] for answer in answers[half:])
    if skipped:
        outcome.not_covered.append(f"{skipped} Python modules that cannot be parsed are not part of the import graph.")
    for number in range(half):
        names = _renames(context, forests["base"][number], forests["head"][number])
        before = _version(answers[number]["imports"], names, lambda importer, line: False)
        now = _version(answers[half + number]["imports"], {}, _deferral(context, forests["head"][number]))
        outcome.results += _judge(context, before, now, forests["head"][number])
    return outcome


def _renames(context: Context, base: Forest, head: Forest) -> dict[str, str]:
    """New names of modules whose files moved, so that a move alone makes no import new."""
    module_of = {path: module for module, path in head.files.items()}
    moved = {c.old_path: c.path for c in context.changes if c.status == "renamed"}
    return {module: module_of[moved[path]] for module, path in base.files.items() if moved.get(path) in module_of}


def _deferral(context: Context, forest: Forest) -> Callable[[str, int], bool]:
    """Tells, for the changed modules, whether an import stands in a function."""
    lines = {
        change.path: change.head.split(b"\n") for change in context.changes if change.head is not None and change.path.endswith(b".py")
    }
    return lambda importer, line: function_at(lines.get(forest.files.get(importer, b""), ()), line) is not None


def _version(imports: list[tuple[str, str, int]], names: dict[str, str], deferred: Callable[[str, int], bool]) -> Version:
    version = Version()
    for importer, imported, line in imports:
        pair = (names.get(importer, importer), names.get(imported, imported))
        version.imports.setdefault(pair, []).append(Import(line, deferred(importer, line)))
    return version


def _judge(context: Context, before: Version, now: Version, forest: Forest) -> Iterator[Raw]:
    """One result a line: a cycle says more than a turned layer, a turned layer more than a new dependency."""
    places = {change.path: index for index, change in enumerate(context.changes)}
    taken: set[tuple[int, int]] = set()
    for pair, kind, names in [*_cycles(before, now), *_layers(before, now)]:
        index = places.get(forest.files.get(pair[0], b""))
        statement = _added(context, index, now.imports[pair])
        if index is None or statement is None or (index, statement.line) in taken:
            continue
        taken.add((index, statement.line))
        rule = f"{kind}-deferred" if kind == "import-cycle" and statement.deferred else kind
        extra: dict[str, object] = {"importer": pair[0], "imported": pair[1], "name": clip(" → ".join(names), 400)}
        message = f"`{pair[0]}` imports `{pair[1]}`: {' → '.join(names)}"
        yield Raw(Place("head", index), rule, statement.line, statement.line, clip(message), extra, settled=True)


def _added(context: Context, index: int | None, statements: list[Import]) -> Import | None:
    if index is None:
        return None
    added = [s for s in statements if context.changes[index].touches(s.line, s.line)]
    return min(added, key=lambda s: (s.deferred, s.line), default=None)


def _cycles(before: Version, now: Version) -> Iterator[tuple[tuple[str, str], str, list[str]]]:
    edges = now.edges()
    for pairs in graph.new_cycles(before.edges(), edges):
        # One report a cycle: at the import that runs when the module loads, if there is one.
        pair = min(pairs, key=lambda p: (all(s.deferred for s in now.imports[p]), p))
        yield pair, "import-cycle", [pair[0], *graph.path(edges, pair[1], pair[0])]


def _layers(before: Version, now: Version) -> Iterator[tuple[tuple[str, str], str, list[str]]]:
    old = graph.units(before.edges())
    known = set(old) | {target for targets in old.values() for target in targets}
    inverted, added = [], []
    for pair in sorted(now.imports):
        source, target = graph.unit(*pair), graph.unit(pair[1], pair[0])
        if source == target or not {source, target} <= known or target in old.get(source, ()):
            continue
        back = graph.path(old, target, source)
        if back:
            inverted.append((pair, "layer-inversion", [source, *back]))
        elif _is_package(source, now) and _is_package(target, now):
            added.append((pair, "new-package-dependency", [source, target]))
    yield from inverted
    yield from added


def _is_package(name: str, version: Version) -> bool:
    return any(module.startswith(name + ".") for pair in version.imports for module in pair)
