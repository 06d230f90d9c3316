"""The artifact store: what must outlive a host. A folder by default, any fsspec URL in production.

sources/{sha256}                        uploaded archives (written by the bot)
reviews/{review_id}/roles/{role}.json   what one reviewer found
reviews/{review_id}/record.json         the review
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from pathlib import Path

import fsspec

from runner.errors import ArtifactMissing


class Artifacts:
    """Bytes by name below one URL. Calls block in threads, and a name is either whole or absent."""

    def __init__(self, url: str) -> None:
        self._fs, self._root = fsspec.core.url_to_fs(url)

    async def write(self, name: str, data: bytes) -> None:
        """Keep bytes, replacing what was there in one step."""
        await asyncio.to_thread(self._write, name, data)

    async def read(self, name: str) -> bytes:
        """Bytes kept under a name. Raises ArtifactMissing."""
        try:
            return bytes(await asyncio.to_thread(self._fs.cat_file, self._path(name)))
        except FileNotFoundError as error:
            raise ArtifactMissing(f"the artifact store holds no {name}") from error

    async def fetch(self, name: str, target: Path) -> None:
        """Copy what is kept into a local file. Raises ArtifactMissing."""
        try:
            await asyncio.to_thread(self._fs.get_file, self._path(name), str(target))
        except FileNotFoundError as error:
            raise ArtifactMissing(f"the artifact store holds no {name}") from error

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _write(self, name: str, data: bytes) -> None:
        path = self._path(name)
        self._fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        draft = f"{path}.{secrets.token_hex(4)}.part"
        try:
            self._fs.pipe_file(draft, data)
            self._fs.mv(draft, path)  # beside it: in a folder this is one step
        except BaseException:
            with contextlib.suppress(OSError):
                self._fs.rm(draft)
            raise
