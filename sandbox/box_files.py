"""The file calls of a box that is reached through its supervisor."""

from __future__ import annotations

import abc
import os
from collections.abc import Callable
from typing import IO

from sandbox.box import DEFAULT_OUTPUT_BYTES, HOME, Box, ExecResult, FileInfo, Stream
from sandbox.errors import BadRequest, BoxFileError

FILE_DEADLINE_S = 60.0
MAX_FILE_BYTES = 256 << 20


class BoxFiles(Box):
    """Each call is a request of kind `f`, see `sandbox.inbox.files`."""

    @abc.abstractmethod
    async def run(
        self,
        kind: bytes,
        words: list[bytes],
        *,
        timeout_s: float,
        stdin: bytes | IO[bytes] | None = None,
        max_output_bytes: int = DEFAULT_OUTPUT_BYTES,
        on_output: Callable[[Stream, bytes], None] | None = None,
    ) -> ExecResult:
        """Start a program (`x`) or file operation (`f`) and follow it to its end."""

    async def read_file(self, path: str, *, offset: int = 0, length: int | None = None) -> bytes:
        if length is not None and length > MAX_FILE_BYTES:
            raise BadRequest(f"at most {MAX_FILE_BYTES >> 20} MB can be read at once; ask for ranges")
        words = [b"read", _path(path), b"%d" % offset, b"%d" % (-1 if length is None else length)]
        data = await self._file(path, words, max_output_bytes=MAX_FILE_BYTES)
        if length is None and len(data) >= MAX_FILE_BYTES:
            raise BadRequest(f"{path} is larger than {MAX_FILE_BYTES >> 20} MB; read it in ranges")
        return data

    async def write_file(self, path: str, data: bytes, *, mode: int = 0o644) -> None:
        await self._file(path, [b"write", _path(path), b"%o" % mode, b"%d" % len(data)], stdin=data)

    async def list_dir(self, path: str) -> list[FileInfo]:
        return _infos(await self._file(path, [b"list", _path(path)], max_output_bytes=64 << 20))

    async def stat(self, path: str, *, follow: bool = False) -> FileInfo:
        return _infos(await self._file(path, [b"stat", _path(path), _flag(follow)]))[0]

    async def mkdir(self, path: str, *, parents: bool = True) -> None:
        await self._file(path, [b"mkdir", _path(path), _flag(parents)])

    async def rename(self, old: str, new: str) -> None:
        await self._file(old, [b"rename", _path(old), _path(new)])

    async def remove(self, path: str, *, recursive: bool = True) -> None:
        await self._file(path, [b"remove", _path(path), _flag(recursive)])

    async def _file(
        self, path: str, words: list[bytes], *, stdin: bytes | None = None, max_output_bytes: int = DEFAULT_OUTPUT_BYTES
    ) -> bytes:
        result = await self.run(b"f", words, timeout_s=FILE_DEADLINE_S, stdin=stdin, max_output_bytes=max_output_bytes)
        if result.exit_code == 0:
            return result.stdout
        number, _, text = result.stderr.partition(b"\0")
        if result.timed_out or not number.isdigit():
            raise BoxFileError(5, f"the file operation did not end: {result.stderr[:200].decode('utf-8', 'replace')}", path)
        raise BoxFileError(int(number), text.decode("utf-8", "replace"), path)


def _path(path: str) -> bytes:
    if not path or "\0" in path:
        raise BadRequest("a path is needed, without NUL bytes")
    full = path if path.startswith("/") else f"{HOME}/{path}"
    return os.path.normpath(full).encode("utf-8", "surrogateescape")


def _flag(given: bool) -> bytes:
    return b"1" if given else b""


def _infos(data: bytes) -> list[FileInfo]:
    """Records as the supervisor writes them; a malformed answer is an error of the box."""
    fields = data.split(b"\0")[:-1]
    try:
        return [
            FileInfo(os.fsdecode(name), kind.decode("ascii"), int(mode), int(size), int(modified), int(inode))
            for kind, mode, size, modified, inode, name in zip(*[iter(fields)] * 6, strict=True)
        ]
    except ValueError as error:
        raise BoxFileError(5, "the box gave a malformed answer", "") from error
