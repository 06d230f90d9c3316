"""GitHub as boxes and their owners meet it: which server, with which token, and its API."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from runner.api.errors import BadInput, Taken

TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Server:
    """github.com, or a GitHub of one's own. `api_url` is without a slash at its end."""

    api_url: str = "https://api.github.com"

    @property
    def host(self) -> str:
        """Where repositories are cloned from."""
        host = urlsplit(self.api_url).hostname or ""
        return "github.com" if host == "api.github.com" else host

    def headers(self, token: str) -> dict[str, dict[str, str]]:
        """What the gateway adds to a box's requests, so that git and API calls work in it without the token."""
        basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        by_host = {urlsplit(self.api_url).hostname or "": {"Authorization": f"Bearer {token}"}}
        return by_host | {self.host: {"Authorization": f"Basic {basic}"}}

    def repository(self, url: str) -> str | None:
        """`owner/name` of a clone URL of this server; None for any other."""
        found = re.fullmatch(rf"(?:https://|ssh://git@|git@)?{re.escape(self.host)}[/:]([\w.-]+)/([\w.-]+?)(?:\.git)?/?", url)
        return f"{found[1]}/{found[2]}" if found and not {found[1], found[2]} & {".", ".."} else None


class Calls:
    """Calls of the API with a box's token."""

    def __init__(self, server: Server, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        self._client = httpx.AsyncClient(base_url=server.api_url, headers=headers, timeout=TIMEOUT_S)

    async def __aenter__(self) -> Calls:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def get(self, path: str) -> Any:
        """Raises ApiError."""
        return await self._call("GET", path, None)

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Raises Taken for what GitHub finds in the way, else ApiError."""
        return await self._call("POST", path, body)

    async def _call(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        try:
            answer = await self._client.request(method, path, json=body)
            said = answer.json() if answer.content else {}
        except (httpx.HTTPError, ValueError) as error:
            raise BadInput(f"GitHub did not answer as it should: {type(error).__name__}; try again shortly") from error
        if answer.is_success:
            return said
        words = _words(said) or answer.reason_phrase
        raise (Taken if answer.status_code == 422 else BadInput)(f"GitHub refused ({answer.status_code}): {words}")


def _words(said: Any) -> str:
    """GitHub's own words for what is wrong."""
    if not isinstance(said, dict):
        return ""
    details = [str(error.get("message") or error.get("field") or "") for error in said.get("errors") or () if isinstance(error, dict)]
    return "; ".join(part for part in (str(said.get("message", "")), *details) if part)[:1000]
