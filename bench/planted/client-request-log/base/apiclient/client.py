"""The client."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from apiclient.log import log_request

Transport = Callable[[str, str, Mapping[str, str]], tuple[int, bytes]]


class StatusError(Exception):
    """The server answered with an error."""


@dataclass(frozen=True)
class Client:
    """Sends requests to one server."""

    base: str
    token: str
    transport: Transport

    def get(self, path: str) -> bytes:
        """Return the body of one resource."""
        address = f"{self.base}/{path.lstrip('/')}"
        headers = {"Accept": "application/json", "Authorization": f"Bearer {self.token}"}
        log_request("GET", address, headers)
        status, body = self.transport("GET", address, headers)
        if status >= 400:
            raise StatusError(f"{status} for {path.partition('?')[0]}")
        return body
