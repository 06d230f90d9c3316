"""The application."""

from __future__ import annotations

from server import config


class App:
    """Answers requests with fixed pages."""

    def __init__(self, pages: dict[str, str], host: str | None = None, port: int | None = None) -> None:
        self.pages = dict(pages)
        self.host = config.HOST if host is None else host
        self.port = config.PORT if port is None else port
        self.headers = dict(config.HEADERS)

    @property
    def address(self) -> str:
        """The address of the application."""
        return f"http://{self.host}:{self.port}"

    def answer(self, path: str) -> tuple[int, dict[str, str], str]:
        """Return status, headers and text of a page."""
        if path not in self.pages:
            return 404, self.headers, "not found"
        return 200, self.headers, self.pages[path]

    def add_header(self, name: str, value: str) -> None:
        """Add a header to all answers."""
        self.headers[name] = value
