"""Finding the file for a path of a request."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from static.types import media_type

INDEX = "index.html"


class Site:
    """The files of one site."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve(strict=True)

    def locate(self, path: str) -> Path | None:
        """Return the file for a path such as /css/main.css, None where there is none below the root.

        For a folder, that is the index in it; a link to a file elsewhere is not followed.
        """
        name = unquote(path).lstrip("/")
        if "\0" in name:
            return None
        file = self._below(self.root / name)
        if file is not None and file.is_dir():
            file = self._below(file / INDEX)
        return file if file is not None and file.is_file() else None

    def _below(self, path: Path) -> Path | None:
        path = path.resolve()
        return path if path.is_relative_to(self.root) else None

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Return status, media type and content for a path."""
        file = self.locate(path)
        if file is None:
            return 404, "text/plain; charset=utf-8", b"not found"
        return 200, media_type(file), file.read_bytes()
