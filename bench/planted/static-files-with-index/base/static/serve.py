"""Finding the file for a path of a request."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from static.types import media_type


class Site:
    """The files of one site."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve(strict=True)

    def locate(self, path: str) -> Path | None:
        """Return the file for a path such as /css/main.css, None where there is none below the root."""
        name = unquote(path).lstrip("/")
        if "\0" in name:
            return None
        file = (self.root / name).resolve()
        if not file.is_relative_to(self.root) or not file.is_file():
            return None
        return file

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Return status, media type and content for a path."""
        file = self.locate(path)
        if file is None:
            return 404, "text/plain; charset=utf-8", b"not found"
        return 200, media_type(file), file.read_bytes()
