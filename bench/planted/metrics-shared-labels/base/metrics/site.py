"""The metrics of one site."""

from __future__ import annotations

from metrics.registry import Registry
from metrics.text import render


class Site:
    """Counts the requests of a site."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.registry = Registry()

    def request(self, status: int) -> None:
        """Count one request."""
        self.registry.count("requests_total", status=str(status))

    def page(self) -> str:
        """Return the page with the metrics."""
        return render(self.registry)
