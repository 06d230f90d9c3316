"""Copying files and folders between this machine and boxes. Names that come from a box are not believed."""

from __future__ import annotations

import base64
import os
import posixpath
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from upstash_box import BoxError

from box_review.boxes import Box
from box_review.errors import InputError

PIECE_BYTES = 4 << 20
UPLOAD_BYTES = 100 << 20


def copy(find: Callable[[str], Box], source: str, target: str) -> int:
    """Copy; one of both is `BOX:PATH`. Links are not followed. Returns how many files were copied.

    Raises:
        InputError: neither or both are in a box, or the source is missing or no file or folder.
        BoxError: the box refuses.
    """
    there, here = _remote(source), _remote(target)
    if (there is None) == (here is None):
        raise InputError("one of SOURCE and TARGET must be BOX:PATH, and the other a path of this machine")
    try:
        if here is not None:
            return _upload(find(here[0]), Path(source), here[1])
        assert there is not None  # noqa: S101 - for the type checker
        return _download(find(there[0]), posixpath.normpath(there[1]), Path(target))
    except OSError as error:
        raise InputError(f"{error.filename or source}: {error.strerror or error}") from error


def _remote(word: str) -> tuple[str, str] | None:
    """Box and path; a path of this machine begins with `/`, `.` or has no colon."""
    name, sign, path = word.partition(":")
    return None if not sign or not name or word.startswith(("/", ".")) or "/" in name else (name, path or ".")


def _upload(box: Box, source: Path, target: str) -> int:
    if not source.exists():
        raise InputError(f"{source} does not exist")
    if _kind(box, target) == "directory":
        target = f"{target.rstrip('/')}/{source.resolve().name}"
    if source.is_file():
        files = [(source, target)]
    elif source.is_dir():
        inside = sorted(Path(folder) / name for folder, _, names in os.walk(source) for name in names)
        files = [(path, f"{target}/{path.relative_to(source).as_posix()}") for path in inside if path.is_file() and not path.is_symlink()]
        box.files.mkdir(target, parents=True)
    else:
        raise InputError(f"{source} is neither a file nor a folder")
    for path, wanted in files:
        if path.stat().st_size > UPLOAD_BYTES:
            raise InputError(f"{path} is larger than {UPLOAD_BYTES >> 20} MB")
        box.files.upload([{"path": str(path), "destination": wanted}])
    return len(files)


def _download(box: Box, source: str, target: Path) -> int:
    kind = _kind(box, source)
    if kind is None:
        raise InputError(f"there is no {source} in box {box.id}")
    if target.is_dir():
        name = PurePosixPath(source).name
        target /= name if name not in ("", "..") else box.id
    if kind == "directory":
        return _download_folder(box, source, target)
    if kind != "file":
        raise InputError(f"{source} in box {box.id} is neither a file nor a folder")
    _download_file(box, source, target)
    return 1


def _download_folder(box: Box, source: str, target: Path) -> int:
    pending, count = [(source, target)], 0
    while pending:
        folder, here = pending.pop()
        here.mkdir(parents=True, exist_ok=True)
        for entry in box.files.list(folder):
            if entry.name in (".", "..", "") or "/" in entry.name or "\0" in entry.name:
                raise InputError(f"box {box.id} names a file {entry.name!r}, which this machine cannot have")
            path = f"{folder.rstrip('/')}/{entry.name}"
            if entry.is_dir:
                pending.append((path, here / entry.name))
            elif _kind(box, path) == "file":
                _download_file(box, path, here / entry.name)
                count += 1
    return count


def _download_file(box: Box, source: str, target: Path) -> None:
    """In pieces, and to a name of its own first: a copy that breaks off leaves what was there."""
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".box-review-", delete=False) as file:
        draft = Path(file.name)
        try:
            while piece := base64.b64decode(box.files.read(source, encoding="base64", offset=file.tell(), length=PIECE_BYTES)):
                file.write(piece)
            file.flush()
            draft.chmod(0o644)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)


def _kind(box: Box, path: str) -> str | None:
    """What a path of a box is, None if it is not there."""
    try:
        return str(box.files.stat(path).type)
    except BoxError as error:
        if error.status_code == 404:
            return None
        raise
