"""New third-party dependencies, from the manifests of five ecosystems, read line by line.

Line by line because a result needs its line, and because Python 3.9 has no TOML parser. Only names that the
base version of the manifest did not have anywhere count as new.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from .model import Context, Outcome, Place, Raw
from .text import clip

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_REQUIREMENT = re.compile(rf"^\s*(?P<name>{_NAME})\s*(\[[^\]]*\])?\s*(?P<rest>[<>=!~@;].*|#.*)?$")
_QUOTED = re.compile(rf"""["'](?P<name>{_NAME})\s*(\[[^\]]*\])?\s*(?P<rest>[<>=!~@; ][^"']*)?["']""")
_TOML_KEY = re.compile(rf"""^\s*["']?(?P<name>{_NAME})["']?\s*=\s*(?P<rest>.+)$""")
_JSON_KEY = re.compile(r'^\s*"(?P<name>@?[A-Za-z0-9][A-Za-z0-9._/-]*)"\s*:\s*"(?P<rest>[^"]*)"')
_GO = re.compile(r"^\s*(?:require\s+)?(?P<name>[a-z0-9.-]+\.[a-z]{2,}/[\w./~-]+)\s+(?P<rest>v\S+)(?!.*// indirect)")
_SECTION = re.compile(r"^\s*\[+\s*([^\]]+?)\s*\]+")
_DIRECT = re.compile(r"(git\+|https?:|ssh:|git:|github:|file:|\bgit\s*=|\bpath\s*=|\burl\s*=)")

Found = Iterator["tuple[int, str, str]"]
_PYTHON_ARRAYS = re.compile(r"^\s*(?:dependencies|requires|[\w-]+)\s*=\s*\[")


def _requirements(lines: list[str]) -> Found:
    for number, line in enumerate(lines, 1):
        found = _REQUIREMENT.match(line)
        if found:
            yield number, found["name"], found["rest"] or ""
        elif _DIRECT.search(line) and not line.lstrip().startswith(("#", "-i", "--index", "--extra", "--find")):
            yield number, line.strip()[:120], line


def _toml(lines: list[str], tables: tuple[str, ...], arrays: tuple[str, ...]) -> Found:
    """Keys of dependency tables, and quoted requirements in the arrays that hold dependencies."""
    section, inside = "", False
    for number, line in enumerate(lines, 1):
        header = _SECTION.match(line)
        if header and not inside:
            section = header[1]
            continue
        if section.endswith(tables):
            found = _TOML_KEY.match(line)
            if found and found["name"] != "python":
                yield number, found["name"], found["rest"]
            continue
        opens = _PYTHON_ARRAYS.match(line) and (section in arrays[1:] or (section == arrays[0] and re.match(r"\s*dependencies\s*=", line)))
        if opens or inside:
            value = line.split("=", 1)[1] if opens else line
            yield from ((number, m["name"], m["rest"] or "") for m in _QUOTED.finditer(value))
            inside = "]" not in re.sub(r"\[[\w, -]*\]", "", value.replace("[", "", 1) if opens else value)


def _pyproject(lines: list[str]) -> Found:
    tables = ("poetry.dependencies", "poetry.dev-dependencies", "poetry.group.dev.dependencies")
    return _toml(lines, tables, ("project", "project.optional-dependencies", "dependency-groups", "build-system"))


def _cargo(lines: list[str]) -> Found:
    return _toml(lines, ("dependencies", "dev-dependencies"), ("",))


def _package_json(lines: list[str]) -> Found:
    inside = False
    for number, line in enumerate(lines, 1):
        if re.search(r'"(dev|peer|optional)?[dD]ependencies"\s*:\s*\{', line):
            inside = "}" not in line
        elif inside and "}" in line:
            inside = False
        elif inside and (found := _JSON_KEY.match(line)):
            yield number, found["name"], found["rest"]


def _go_mod(lines: list[str]) -> Found:
    for number, line in enumerate(lines, 1):
        found = _GO.match(line)
        if found:
            yield number, found["name"], found["rest"]


def _reader(path: bytes) -> Callable[[list[str]], Found] | None:
    name = path.rsplit(b"/", 1)[-1].decode("utf-8", "replace")
    if re.fullmatch(r"(.*[-_.])?requirements([-_.].*)?\.(txt|in)", name) or re.search(
        r"(^|/)requirements/[^/]+\.(txt|in)$", path.decode("utf-8", "replace")
    ):
        return _requirements
    return {"pyproject.toml": _pyproject, "Cargo.toml": _cargo, "package.json": _package_json, "go.mod": _go_mod}.get(name)


def collect(context: Context) -> Outcome:
    """One result for each dependency whose name is new in its manifest, at the line that declares it."""
    outcome = Outcome()
    for index, change in enumerate(context.changes):
        reader = _reader(change.path)
        if reader is None or change.head is None:
            continue
        before = {_canonical(name) for _, name, _ in reader(_lines(change.base or b""))}
        for number, name, rest in reader(_lines(change.head)):
            if _canonical(name) in before or not change.touches(number, number):
                continue
            before.add(_canonical(name))
            rule = "direct-reference" if _DIRECT.search(rest) else "new-dependency"
            extra: dict[str, object] = {"name": clip(name, 120)}
            outcome.results.append(
                Raw(Place("head", index), rule, number, number, f"new dependency `{clip(name, 120)}`", extra, settled=True)
            )
    return outcome


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _lines(data: bytes) -> list[str]:
    return data.decode("utf-8", "replace").split("\n")
