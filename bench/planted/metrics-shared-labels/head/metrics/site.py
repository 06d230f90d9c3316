"""The metrics of one site."""

from __future__ import annotations

from metrics.registry import Registry, set_common
from metrics.text import render


class Site:
    """Counts the requests of a site."""

    def __init__(self, name: str, zone: str | None = None) -> None:
        self.name = name
        self.registry = Registry()
        if zone:
            set_common(zone=zone)

    def request(self, status: int) -> None:
        """Count one request."""
        self.registry.count("requests_total", status=str(status))

    def page(self) -> str:
        """Return the page with the metrics."""
        return render(self.registry)
