"""Settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


def default_headers() -> dict[str, str]:
    """Return the headers of every answer."""
    return {"X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True)
class Options:
    """Where to listen, and what every answer carries; port 0 stands for any free one."""

    host: str = "127.0.0.1"
    port: int = 8080
    headers: Mapping[str, str] = field(default_factory=default_headers)

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ValueError(f"not a port: {self.port}")
