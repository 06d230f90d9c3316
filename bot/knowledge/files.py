"""Files of the store: `SCOPE/XX/kn-XX….json` for each entry, `SCOPE/revoked.json` for the sources that a scope trusts no more."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path
from typing import TypeVar

from box_review.knowledge import Entry, Revoked, RevokedList
from box_review.sanitize import for_json
from pydantic import BaseModel, ValidationError

REVOKED = "revoked.json"
MOST_BYTES = 4 << 20
_SCOPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_ENTRY = re.compile(rf"({_SCOPE.pattern})/([0-9a-f]{{2}})/(kn-\2[0-9a-f]{{14}})\.json")
_DRAFT = ".draft-"
_M = TypeVar("_M", bound=BaseModel)


class Unreadable(ValueError):
    """A file of the store that holds nothing of ours; its text is one sentence."""


def scope_of(tenant: str) -> str:
    """The folder of an organisation. Raises ValueError for a name that leads elsewhere."""
    if not _SCOPE.fullmatch(tenant):
        raise ValueError(f"{tenant!r} is no name of a scope")
    return tenant


def path_of(entry: Entry) -> str:
    """Where an entry lies, below the store."""
    return f"{scope_of(entry.scope)}/{entry.id[3:5]}/{entry.id}.json"


def scope_in(path: str) -> str:
    """The scope that a path is of."""
    return path.partition("/")[0]


def ident_in(path: str) -> str | None:
    """The id of the entry that lies at a path; None where none may lie."""
    found = _ENTRY.fullmatch(path)
    return found[3] if found else None


def is_revoked(path: str) -> bool:
    """True for a list of revoked sources."""
    scope, _, name = path.partition("/")
    return name == REVOKED and _SCOPE.fullmatch(scope) is not None


def is_draft(path: str) -> bool:
    """True for a file that was being written when its writer died; what it should have replaced is whole."""
    return path.rpartition("/")[2].startswith(_DRAFT)


def is_ours(path: str) -> bool:
    """True for a path where we write; whatever else a person has put into the store is left alone."""
    return ident_in(path) is not None or is_revoked(path) or is_draft(path)


def write(folder: Path, path: str, value: BaseModel) -> None:
    """Put a file in its place, whole or not at all. It need not reach the disk: what is committed does, and it is restored from there."""
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = target.parent / f"{_DRAFT}{target.name}"
    with draft.open("w", encoding="utf-8") as file:
        file.write(for_json(value.model_dump_json(indent=2, exclude_defaults=True)) + "\n")
    draft.replace(target)


def entry_at(folder: Path, path: str) -> Entry:
    """The entry in a file. Raises Unreadable, FileNotFoundError."""
    entry = _read(folder, path, Entry)
    if path_of(entry) != path:
        raise Unreadable(f"{path}: holds the entry {entry.id} of {entry.scope}, which lies elsewhere")
    return entry


def revoked_at(folder: Path, path: str) -> tuple[Revoked, ...]:
    """The revoked sources in a file. Raises Unreadable, FileNotFoundError."""
    return _read(folder, path, RevokedList).revoked


def check(folder: Path, path: str) -> None:
    """Raises Unreadable for a file that is none of ours, FileNotFoundError for one that is gone."""
    if is_revoked(path):
        revoked_at(folder, path)
    else:
        entry_at(folder, path)


def set_aside(folder: Path, path: str) -> Path:
    """Move a file that cannot be used to where nobody looks for entries; returns where it is now."""
    aside = folder / ".git" / "set-aside"
    aside.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = aside / f"{time.time_ns()}-{path.replace('/', '-')[-150:]}"
    shutil.move(folder / path, target)
    return target


def _read(folder: Path, path: str, model: type[_M]) -> _M:
    file = folder / path
    if file.is_symlink() or (file.exists() and not file.is_file()):
        raise Unreadable(f"{path}: is no file")
    with file.open("rb") as opened:
        body = opened.read(MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        raise Unreadable(f"{path}: has more than {MOST_BYTES >> 20} MB")
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        raise Unreadable(f"{path}: {'.'.join(map(str, problem['loc'])) or 'line 1'}: {problem['msg']}") from error
