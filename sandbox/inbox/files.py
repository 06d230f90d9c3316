"""File operations of the host, done by a child of the first process: links are resolved in the box.

On failure stderr holds `ERRNO NUL text` and the exit code is 1.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

HOME = b"/workspace/home"


def run(parts: list[bytes]) -> None:
    """Do one operation; never returns."""
    try:
        os.chdir(HOME)
        ACTIONS[parts[0]](*parts[1:])
    except OSError as error:
        os.write(2, b"%d\0%s" % (error.errno or 0, os.strerror(error.errno or 0).encode()))
        os._exit(1)
    os._exit(0)


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`, however small the pipe."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def read(path: bytes, offset: bytes, length: bytes) -> None:
    """Copy a range of a regular file to stdout; length -1 means to the end."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # never hang on a named pipe
    if (os.fstat(fd).st_mode & 0o170000) != 0o100000:
        raise IsADirectoryError(21, "not a regular file") if os.path.isdir(path) else OSError(22, "not a regular file")
    os.lseek(fd, int(offset), os.SEEK_SET)
    left = int(length)
    while left:
        chunk = os.read(fd, 1 << 16 if left < 0 else min(left, 1 << 16))
        if not chunk:
            return
        left -= len(chunk) if left > 0 else 0
        write_all(1, chunk)


def write(path: bytes, mode: bytes, size: bytes) -> None:
    """Replace a file by what comes on stdin, in one step, if all of it came; its folders are made."""
    folder = os.path.dirname(path)
    if folder:
        os.makedirs(folder, exist_ok=True)
    part = path + b".part-%d" % os.getpid()
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, int(mode, 8))
    try:
        left = int(size)
        while left:
            chunk = os.read(0, 1 << 16)
            if not chunk:
                complain("the data did not come to its end")
            left -= len(chunk)
            write_all(fd, chunk)
        os.fchmod(fd, int(mode, 8))
        os.replace(part, path)
    except OSError:
        os.unlink(part)
        raise


def complain(words: str) -> None:
    """Fail as an operation of the system would."""
    raise OSError(5, words)


def describe(path: bytes, name: bytes, follow: bytes = b"") -> bytes:
    """One record of `list` and `stat`: kind, mode, size, nanoseconds of the last change, inode, name."""
    info = os.stat(path) if follow else os.lstat(path)
    kinds = {0o040000: b"dir", 0o100000: b"file", 0o120000: b"link"}
    kind = kinds.get(info.st_mode & 0o170000, b"other")
    return b"%s\0%d\0%d\0%d\0%d\0%s\0" % (kind, info.st_mode & 0o7777, info.st_size, info.st_mtime_ns, info.st_ino, name)


def list_folder(path: bytes) -> None:
    """Records of a folder's entries, sorted by name."""
    for name in sorted(os.listdir(path)):
        write_all(1, describe(os.path.join(path, name), name))


def stat(path: bytes, follow: bytes) -> None:
    """The record of one path; a link is described itself, or what it leads to."""
    write_all(1, describe(path, path, follow))


def mkdir(path: bytes, parents: bytes) -> None:
    """Make a folder, or all that are missing."""
    if parents:
        os.makedirs(path, exist_ok=True)
    else:
        os.mkdir(path)


def remove(path: bytes, recursive: bytes) -> None:
    """Remove a file or a link, or a folder with all it holds."""
    if os.path.isdir(path) and not os.path.islink(path):
        if not recursive:
            raise IsADirectoryError(21, "a folder")
        import shutil

        shutil.rmtree(path)
    else:
        os.unlink(path)


ACTIONS: dict[bytes, Callable[..., None]] = {
    b"read": read,
    b"write": write,
    b"list": list_folder,
    b"stat": stat,
    b"mkdir": mkdir,
    b"rename": os.rename,
    b"remove": remove,
}
