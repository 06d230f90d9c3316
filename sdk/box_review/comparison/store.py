"""The folder of a comparison: one file for each answer, written whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from box_review.errors import InputError

_M = TypeVar("_M", bound=BaseModel)
MOST_BYTES = 16 << 20
_LABEL = re.compile(r"compare-[0-9a-f]{12}")


class Store:
    """Results below a folder, by kind and key.

    Args:
        folder: made if it is missing. Raises InputError if it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{folder} cannot be made: {error.strerror}") from error

    @property
    def label(self) -> str:
        """What boxes of comparisons in this folder are labelled with, and no others: one that was killed leaves nothing for good."""
        try:
            named = (self.folder / ".label").read_text(encoding="utf-8")
        except (OSError, ValueError):
            named = ""
        if not _LABEL.fullmatch(named):
            named = f"compare-{secrets.token_hex(6)}"
            self.write(".label", named)
        return named

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Nobody else works in the folder meanwhile. Raises InputError if somebody does."""
        try:
            lock = (self.folder / ".lock").open("w")
        except OSError as error:
            raise InputError(f"{self.folder} cannot be written: {error.strerror}") from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise InputError(f"another comparison works in {self.folder}; wait for it, or give another --out") from error
            yield

    def get(self, kind: str, key: str, model: type[_M]) -> _M | None:
        """A result, None if there is none that can be read."""
        try:
            path = self.folder / kind / f"{key}.json"
            return model.model_validate_json(path.read_bytes()) if path.stat().st_size <= MOST_BYTES else None
        except (OSError, ValidationError):
            return None

    def put(self, kind: str, key: str, result: BaseModel) -> None:
        """Keep a result. Raises InputError if the disk does not take it."""
        self.write(f"{kind}/{key}.json", result.model_dump_json(indent=1))

    def write(self, name: str, text: str) -> Path:
        """A file of the folder, old or new at any time, never half. Raises InputError."""
        path = self.folder / name
        try:
            path.parent.mkdir(exist_ok=True)
            beside = path.with_name(f".{path.name}.{threading.get_ident()}")
            with beside.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror}") from error
        return path
