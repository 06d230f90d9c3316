"""API keys as the server tells of them, and the calls that manage them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import httpx
from pydantic import BaseModel, ConfigDict, Field

from box_review.client import Address
from box_review.errors import RequestRejected, ServerUnavailable

TIMEOUT_S = 30.0


class NewKey(BaseModel):
    """A key that is asked for. With `new_tenant` it sees nothing of what other keys made, and they nothing of what it makes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(max_length=100)] = ""
    read_only: bool = False
    new_tenant: bool = False
    expires_in_s: Annotated[int, Field(ge=1, le=10 * 366 * 86_400)] | None = None


class Key(BaseModel):
    """A key that was made. `secret` is told once, when it is made. Times in seconds since 1970."""

    id: str
    name: str
    tenant: str
    read_only: bool
    created_at: int
    expires_at: int | None = None
    secret: str | None = None


class KeyClient:
    """Makes, lists and removes keys of one server. Raises ServerUnavailable and RequestRejected."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def make(self, wanted: NewKey) -> Key:
        """A new key, with its secret."""
        return Key.model_validate(self._call("POST", "/v1/keys", wanted.model_dump(exclude_none=True)))

    def list(self) -> list[Key]:
        """The keys that this key has made."""
        return [Key.model_validate(entry) for entry in self._call("GET", "/v1/keys")["keys"]]

    def remove(self, key_id: str) -> None:
        """Accept a key no more."""
        self._call("DELETE", f"/v1/keys/{key_id}")

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        headers = {"X-Box-Api-Key": self._address.api_key}
        try:
            answer = httpx.request(method, f"{self._address.url}{path}", headers=headers, json=body, timeout=TIMEOUT_S)
            said = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise ServerUnavailable(f"{self._address.url} does not answer as it should: {type(error).__name__}") from error
        if not answer.is_success:
            raise RequestRejected(str(said.get("error", answer.reason_phrase)), answer.status_code)
        return said
