"""Frozen boxes on disk: one compressed archive of a box's upper layer, and a manifest that vouches for it.

The archive is written and read inside a user namespace of the box's own uid, with that uid shown as 0: so
files that the box made unreadable are packed all the same, hostile trees are handled with no more
rights than the box had, and an image fits boxes of any uid on any host.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import zstandard
from pydantic import BaseModel, ConfigDict

from sandbox.errors import DiskFull, ImageCorrupt, SandboxError
from sandbox.rootfs import Rootfs
from sandbox.users import own

FORMAT = 2
FILES = "files.tar.zst"
PACK_DEADLINE_S = 600.0
_CHUNK = 1 << 20


class Part(BaseModel):
    """One file of an image."""

    model_config = ConfigDict(frozen=True)

    bytes: int
    sha256: str


class Manifest(BaseModel):
    """What a frozen image holds.

    Attributes:
        driver: what froze it; `engine` names the program and version that can bring its processes back.
        frozen_at: Unix seconds.
        layers: snapshot layers the files rest on, lowest first.
        memory: processes are part of the image.
        next_id: the first id of the link to its supervisor that was not used yet.
        parts: its files by name, `FILES` among them.
    """

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    driver: str
    engine: str = ""
    box_id: str
    frozen_at: float
    layers: tuple[str, ...]
    memory: bool = False
    next_id: int = 0
    parts: dict[str, Part]

    @property
    def size_bytes(self) -> int:
        """What the image takes on disk."""
        return sum(part.bytes for part in self.parts.values())

    def without_memory(self) -> Manifest:
        """The same image as one of files alone."""
        return self.model_copy(update={"memory": False, "parts": {FILES: self.parts[FILES]}})

    def verify(self, folder: Path, names: Collection[str] | None = None) -> None:
        """Compare the files in `folder`, or those of them named, with what was written. Raises ImageCorrupt."""
        for name in self.parts if names is None else names:
            part = self.parts[name]
            try:
                found = measure(folder / name)
            except OSError as error:
                raise ImageCorrupt(f"{folder / name} cannot be read: {error.strerror}") from error
            if found != part:
                raise ImageCorrupt(
                    f"{folder / name} does not match its manifest ({found.bytes} bytes, {found.sha256[:12]}…, "
                    f"where {part.bytes} bytes, {part.sha256[:12]}… were written); the frozen image is damaged"
                )


def share(image: Path, target: Path) -> None:
    """Make a second folder with the files of an image; what is in them is on disk once."""
    shutil.copytree(image, target, copy_function=os.link)
    shutil.copystat(image, target)
    os.chown(target, image.stat().st_uid, image.stat().st_gid)


def measure(file: Path) -> Part:
    """Size and digest of a file."""
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
        return Part(bytes=opened.tell(), sha256=digest)


@dataclass(frozen=True, slots=True)
class Packer:
    """Runs tar with the rights of one box. All methods block; call them in a thread."""

    rootfs: Rootfs
    uid: int | None

    def pack(self, tree: Path, archive: Path) -> Part:
        """Write `tree` to `archive` (zstd); what is read back must be what was written. Raises DiskFull, ImageCorrupt."""
        outer = hashlib.sha256()
        try:
            with archive.open("wb") as file, tempfile.TemporaryFile() as log:
                tar = self._tar(
                    tree, ["--create", "--sort=name", "--file=-", "."], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, log=log
                )
                try:
                    with zstandard.ZstdCompressor(level=3, write_checksum=True).stream_writer(
                        cast("IO[bytes]", _Hashing(file, outer.update)), closefd=False
                    ) as zipper:
                        while chunk := cast("IO[bytes]", tar.stdout).read(_CHUNK):
                            zipper.write(chunk)
                except OSError:
                    _end(tar)
                    raise
                _finish(tar, log, f"packing {tree}")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            archive.unlink(missing_ok=True)
            raise DiskFull(error.errno, f"cannot write {archive}: {error.strerror}") from error
        packed = measure(archive)
        if packed.sha256 != outer.hexdigest():
            archive.unlink()
            raise ImageCorrupt(f"{archive} does not read back as it was written; check the disk")
        return packed

    def unpack(self, archive: Path, tree: Path) -> None:
        """Write a verified archive's content into the empty folder `tree`. Raises DiskFull, ImageCorrupt."""
        with tempfile.TemporaryFile() as log:
            arguments = ["--extract", "--same-permissions", "--delay-directory-restore", "--file=-"]
            tar = self._tar(tree, arguments, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, log=log)
            try:
                with cast("IO[bytes]", tar.stdin) as pipe:
                    for chunk in _unzip(archive):
                        pipe.write(chunk)
            except BrokenPipeError:
                pass  # tar says why below
            except zstandard.ZstdError as error:
                _end(tar)
                raise ImageCorrupt(f"{archive} cannot be read: {error}") from error
            _finish(tar, log, f"unpacking {archive}")

    def unpack_anew(self, archive: Path, tree: Path) -> None:
        """Like `unpack`, into a folder that is made for it."""
        tree.mkdir(mode=0o755)
        own(tree, self.uid)
        self.unpack(archive, tree)

    def copy(self, tree: Path, target: Path) -> None:
        """Copy a tree that may change meanwhile into a new folder, by way of an archive beside it."""
        archive = target.parent / "copy.tar.zst"
        try:
            self.pack(tree, archive)
            self.unpack_anew(archive, target)
        finally:
            archive.unlink(missing_ok=True)

    def remove(self, tree: Path) -> None:
        """Empty a folder, whatever modes the box has given its files."""
        if not tree.exists():
            return
        with tempfile.TemporaryFile() as log:
            command = ["/usr/bin/find", ".", "-mindepth", "1", "-delete"]
            streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
            _finish(self._run(["--bind", str(tree), "/workspace"], command, log=log, **streams), log, f"removing {tree}")

    def merge(self, lower: list[Path], target: Path) -> None:
        """Copy what the layers (lowest first, two or more) show together into the empty folder `target`."""
        view = [word for layer in lower for word in ("--overlay-src", str(layer))]
        view += ["--ro-overlay", "/workspace", "--bind", str(target), "/opt"]
        with tempfile.TemporaryFile() as log:
            command = ["/usr/bin/cp", "-a", "./.", "/opt/"]
            streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
            _finish(self._run(view, command, log=log, **streams), log, f"merging {len(lower)} layers")

    def _tar(self, tree: Path, arguments: list[str], *, stdin: int, stdout: int, log: IO[bytes]) -> subprocess.Popen[bytes]:
        command = ["/usr/bin/tar", "--numeric-owner", "--xattrs", "--xattrs-include=user.*", *arguments]
        return self._run(["--bind", str(tree), "/workspace"], command, stdin=stdin, stdout=stdout, log=log)

    def _run(self, binds: list[str], command: list[str], *, stdin: int, stdout: int, log: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start a program that sees the host's programs and `binds`, with all rights over the box's own files; it works in /workspace."""
        fs = self.rootfs
        isolate = ["--unshare-all", "--unshare-user", "--uid", "0", "--gid", "0", "--cap-drop", "ALL"]
        for capability in ("CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_CHOWN", "CAP_SETGID", "CAP_SETUID"):
            isolate += ["--cap-add", capability]
        view = ["--ro-bind", str(fs.skeleton), "/", *fs.binds, "--dev", "/dev", *binds, "--chdir", "/workspace"]
        environment = ["--clearenv", "--setenv", "PATH", "/usr/bin:/bin", "--setenv", "LANG", "C.UTF-8"]
        argv = [str(fs.bwrap), *isolate, "--new-session", *view, *environment, "--", *command]
        owner = {} if self.uid is None else {"user": self.uid, "group": self.uid, "extra_groups": []}
        return subprocess.Popen(argv, stdin=stdin, stdout=stdout, stderr=log, close_fds=True, **owner)  # type: ignore[call-overload,no-any-return]


class _Hashing(io.RawIOBase):
    """A writable file that shows each piece to a digest."""

    def __init__(self, file: IO[bytes], update: Callable[[bytes], None]) -> None:
        super().__init__()
        self._file, self._update = file, update

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        """Write and digest."""
        self._update(data)
        return self._file.write(data)


def _unzip(archive: Path) -> Iterator[bytes]:
    with archive.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as reader:
        while chunk := reader.read(_CHUNK):
            yield chunk


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill tar: what it was to do has failed on our side."""
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None and not stream.closed:
            stream.close()


def _finish(process: subprocess.Popen[bytes], log: IO[bytes], doing: str) -> None:
    """Wait for tar or find; its words become the error."""
    try:
        code = process.wait(PACK_DEADLINE_S)
    except subprocess.TimeoutExpired as error:
        process.kill()
        process.wait()
        raise SandboxError(f"{doing} took more than {PACK_DEADLINE_S:.0f} s") from error
    finally:
        for stream in (process.stdin, process.stdout):
            if stream is not None and not stream.closed:
                stream.close()
    if code:
        log.seek(0)
        words = log.read(2000).decode("utf-8", "replace").strip()
        if "No space left" in words:
            raise DiskFull(28, f"{doing}: no space left on the disk")
        raise SandboxError(f"{doing} failed: {words or f'exit code {code}'}")
