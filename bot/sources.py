"""Archives of changes, as clients upload them: kept by their SHA-256, so that the same change is sent once."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
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
        draft = f"{self._root}/{sha256}.{secrets.token_hex(4)}.part"
        file = await asyncio.to_thread(self._fs.open, draft, "wb")
        try:
            try:
                size = await self._receive(file, sha256, chunks)
            finally:
                await asyncio.to_thread(file.close)
            await asyncio.to_thread(self._fs.mv, draft, f"{self._root}/{sha256}")  # beside it: in a folder this is one step
        except BaseException:
            with contextlib.suppress(OSError):
                await asyncio.to_thread(self._fs.rm, draft)
            raise
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
