"""Routes of a box's files. Paths are the box's: links are resolved there, and lead nowhere else."""

from __future__ import annotations

import base64
import errno
import os
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query, UploadFile
from fastapi.responses import Response

from runner.api.context import UsedBox
from runner.api.errors import BadInput, TooLarge
from runner.api.wire import MakeFolder, Remove, Rename, Text, WriteFile
from runner.api.work import folder_of
from sandbox.box import FileInfo

MAX_RANGE_BYTES = 8 << 20
MAX_UPLOAD_BYTES = 100 << 20
MAX_UPLOADS = 10
_TYPES = {"dir": "directory", "file": "file", "link": "symlink", "other": "other"}
router = APIRouter(prefix="/v2/box/{box_id}/files")


def _full(path: str) -> str:
    """A path of the box, absolute and without dots. Raises BadInput."""
    if not path or "\0" in path:
        raise BadInput("path: a path is needed, without NUL bytes")
    return os.path.normpath(folder_of(path))


@router.get("/read")
async def read(
    used: UsedBox,
    path: str,
    encoding: Literal["base64"] | None = None,
    offset: Annotated[int, Query(ge=0, lt=1 << 63)] = 0,
    length: Annotated[int | None, Query(ge=0, lt=1 << 63)] = None,
) -> dict[str, Any]:
    """A file, or with `length` a piece of it."""
    if length is not None and length > MAX_RANGE_BYTES:
        raise BadInput(f"length: at most {MAX_RANGE_BYTES} bytes at once")
    data = await used.box.read_file(_full(path), offset=offset, length=length)
    return {"content": base64.b64encode(data).decode() if encoding else data.decode("utf-8", "replace")}


@router.post("/write")
async def write(used: UsedBox, body: WriteFile) -> dict[str, Any]:
    """Replace a file in one step; its folders are made."""
    try:
        data = base64.b64decode(body.content, validate=True) if body.encoding else body.content.encode("utf-8", "surrogatepass")
    except ValueError as error:
        raise BadInput(f"content: not base64: {error}") from error
    await used.box.write_file(_full(body.path), data)
    return {}


@router.get("/list")
async def list_folder(used: UsedBox, folder: str | None = None) -> dict[str, Any]:
    """What a folder holds, not what its folders hold."""
    path = _full(folder or ".")
    return {"files": [_entry(path, info) for info in await used.box.list_dir(path)]}


@router.get("/stat")
async def stat(used: UsedBox, path: str, follow: bool = False) -> dict[str, Any]:
    """One path; a link itself, or with `follow` what it leads to."""
    info = await used.box.stat(_full(path), follow=follow)
    version = f"{info.inode:x}-{info.modified_ns:x}-{info.size:x}"
    return {"type": _TYPES[info.kind], "size": info.size, "mod_time": _time(info), "inode": info.inode, "version": version}


@router.post("/mkdir")
async def mkdir(used: UsedBox, body: MakeFolder) -> dict[str, Any]:
    """Make a folder."""
    await used.box.mkdir(_full(body.path), parents=body.parents)
    return {}


@router.post("/rename")
async def rename(used: UsedBox, body: Rename) -> dict[str, Any]:
    """Move within the box."""
    await used.box.rename(_full(body.old), _full(body.new))
    return {}


@router.post("/remove")
async def remove(used: UsedBox, body: Remove) -> dict[str, Any]:
    """Remove a file, or with `recursive` a folder."""
    await used.box.remove(_full(body.path), recursive=body.recursive)
    return {}


@router.get("/download")
async def download(used: UsedBox, folder: str) -> Response:
    """The bytes of one file, which the clients call `folder`."""
    return Response(await used.box.read_file(_full(folder)), media_type="application/octet-stream")


@router.post("/upload")
async def upload(used: UsedBox, paths: Annotated[list[Text], Form()], files: list[UploadFile]) -> dict[str, Any]:
    """Write files; `paths` and `files` belong together by their order."""
    if len(paths) != len(files):
        raise BadInput(f"{len(paths)} paths for {len(files)} files")
    if len(files) > MAX_UPLOADS:
        raise TooLarge(f"at most {MAX_UPLOADS} files at once")
    targets = [_full(path) for path in paths]
    for target, file in zip(targets, files, strict=True):
        if (file.size or 0) > MAX_UPLOAD_BYTES:
            raise TooLarge(f"{target}: at most {MAX_UPLOAD_BYTES >> 20} MB")
    for target, file in zip(targets, files, strict=True):
        await used.box.write_file(target, await file.read())
    return {}


def status_of(number: int) -> int:
    """The HTTP status for what a file operation failed with."""
    return {errno.ENOENT: 404, errno.EACCES: 403, errno.EPERM: 403, errno.EROFS: 403}.get(number, 400)


def _entry(folder: str, info: FileInfo) -> dict[str, Any]:
    name = info.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    path = f"{folder.rstrip('/')}/{name}"
    return {"name": name, "path": path, "size": info.size, "is_dir": info.kind == "dir", "mod_time": _time(info)}


def _time(info: FileInfo) -> str:
    return datetime.fromtimestamp(info.modified_ns / 1e9, UTC).isoformat()
