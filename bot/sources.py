"""Archives of changes, as clients upload them: kept by their SHA-256, so that the same change is sent once."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator

import fsspec

from bot.errors import Refused


class Sources:
    """The part of the artifact store that clients may write to."""

    def __init__(self, url: str, max_bytes: int) -> None:
        self._fs, root = fsspec.core.url_to_fs(url)
        self._root = f"{root}/sources"
        self._max_bytes = max_bytes

    async def has(self, sha256: str) -> bool:
        """True if the archive is here."""
        return bool(await asyncio.to_thread(self._fs.exists, f"{self._root}/{sha256}"))

    async def keep(self, sha256: str, chunks: AsyncIterator[bytes]) -> int:
        """Store an archive as it comes in; returns its size. It appears whole or not at all.

        Raises:
            Refused: it is too large, or its digest is another.
        """
        await asyncio.to_thread(self._fs.makedirs, self._root, exist_ok=True)
        file = await asyncio.to_thread(lambda: self._fs.open(f"{self._root}/{sha256}", "wb", autocommit=False))
        try:
            size = await self._receive(file, sha256, chunks)
        except BaseException:
            await asyncio.to_thread(_discard, file)
            raise
        await asyncio.to_thread(_commit, file)
        return size

    async def _receive(self, file: fsspec.spec.AbstractBufferedFile, sha256: str, chunks: AsyncIterator[bytes]) -> int:
        digest, size = hashlib.sha256(), 0
        async for chunk in chunks:
            size += len(chunk)
            if size > self._max_bytes:
                raise Refused(f"the source is larger than {self._max_bytes} bytes (BOX_MAX_SOURCE_BYTES)", 413)
            digest.update(chunk)
            await asyncio.to_thread(file.write, chunk)
        if digest.hexdigest() != sha256:
            raise Refused(f"the archive's SHA-256 is {digest.hexdigest()}, not {sha256}")
        return size


def _commit(file: fsspec.spec.AbstractBufferedFile) -> None:
    file.close()
    file.commit()


def _discard(file: fsspec.spec.AbstractBufferedFile) -> None:
    file.close()
    file.discard()
