"""Loading what may be analyzed, and saying what may not."""

from __future__ import annotations

from collections.abc import Callable

from .changes import REGULAR, SUBMODULE, SYMLINK, Change
from .git import BLOB_LIMIT, Repository
from .text import counted

_LFS = b"version https://git-lfs.github.com/spec/"


def load(repository: Repository, found: list[Change]) -> list[str]:
    """Fill in `head` and `base`; returns the sentences about what stays uncovered."""
    wanted = [
        blob
        for change in found
        for blob, mode in ((change.head_blob, change.head_mode), (change.base_blob, change.base_mode))
        if mode in REGULAR
    ]
    data = repository.blobs(wanted)
    for change in found:
        change.head = _text(data.get(change.head_blob)) if change.head_mode in REGULAR else None
        change.base = _text(data.get(change.base_blob)) if change.base_mode in REGULAR else None
    return _uncovered(repository, found, data)


def _text(data: bytes | None) -> bytes | None:
    return None if data is None or _binary(data) or data.startswith(_LFS) else data


def _binary(data: bytes) -> bool:
    return b"\0" in data[:8000]


def _uncovered(repository: Repository, found: list[Change], data: dict[str, bytes]) -> list[str]:
    regular = [c for c in found if c.head_mode in REGULAR]
    missing = [c for c in regular if c.head_blob not in data]
    sizes = repository.sizes([c.head_blob for c in missing]) if missing else {}

    def loaded(test: Callable[[bytes], bool]) -> list[bytes]:
        return [c.path for c in regular if c.head_blob in data and test(data[c.head_blob])]

    groups = [
        ([c.path for c in found if c.head_mode == SYMLINK], "symbolic link", "symbolic links", "not followed"),
        ([c.path for c in found if c.head_mode == SUBMODULE], "submodule", "submodules", "not looked into"),
        (loaded(lambda d: d.startswith(_LFS)), "Git LFS pointer", "Git LFS pointers", "not resolved"),
        (loaded(_binary), "binary file", "binary files", "not analyzed"),
        ([c.path for c in missing if sizes.get(c.head_blob, 0) > BLOB_LIMIT], "file above 1 MB", "files above 1 MB", "not analyzed"),
        (
            [c.path for c in missing if 0 < sizes.get(c.head_blob, 0) <= BLOB_LIMIT],
            "file beyond the total size limit",
            "files beyond the total size limit",
            "not analyzed",
        ),
        (
            [c.path for c in missing if c.head_blob not in sizes],
            "file that git could not read",
            "files that git could not read",
            "not analyzed",
        ),
    ]
    return [f"{counted(paths, one, many)} {'was' if len(paths) == 1 else 'were'} {verb}." for paths, one, many, verb in groups if paths]
