"""Attachments of tickets, kept as files below one folder."""

from __future__ import annotations

from pathlib import Path

MAX_BYTES = 10 * 1024 * 1024


class AttachmentError(Exception):
    """An attachment cannot be stored or read."""


class AttachmentStore:
    """Files below one folder, named by their path relative to it."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.root.mkdir(parents=True, exist_ok=True)

    def _locate(self, name: str) -> Path:
        path = (self.root / name).resolve()
        if path == self.root or not path.is_relative_to(self.root):
            raise AttachmentError(f"not a name for an attachment: {name!r}")
        return path

    def save(self, name: str, content: bytes) -> int:
        """Write one attachment and return its size."""
        if len(content) > MAX_BYTES:
            raise AttachmentError(f"{name!r} is larger than {MAX_BYTES} bytes")
        path = self._locate(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return len(content)

    def read(self, name: str) -> bytes:
        """Return the content of one attachment."""
        path = self._locate(name)
        if not path.is_file():
            raise AttachmentError(f"no such attachment: {name!r}")
        return path.read_bytes()

    def names(self) -> list[str]:
        """Return the names of all attachments, sorted."""
        return sorted(str(p.relative_to(self.root)) for p in self.root.rglob("*") if p.is_file())
