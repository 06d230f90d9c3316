"""The application."""

from __future__ import annotations

from server.config import Options


class App:
    """Answers requests with fixed pages."""

    def __init__(self, pages: dict[str, str], host: str | None = None, port: int | None = None) -> None:
        self.pages = dict(pages)
        defaults = Options()
        self.options = Options(
            host=defaults.host if host is None else host,
            port=defaults.port if port is None else port,
        )
        self.headers = dict(self.options.headers)

    @property
    def address(self) -> str:
        """The address of the application."""
        return f"http://{self.options.host}:{self.options.port}"

    @property
    def host(self) -> str:
        """The name or number of the host to listen on."""
        return self.options.host

    @property
    def port(self) -> int:
        """The port to listen on."""
        return self.options.port

    def answer(self, path: str) -> tuple[int, dict[str, str], str]:
        """Return status, headers and text of a page."""
        if path not in self.pages:
            return 404, self.headers, "not found"
        return 200, self.headers, self.pages[path]

    def add_header(self, name: str, value: str) -> None:
        """Add a header to all answers."""
        self.headers[name] = value
