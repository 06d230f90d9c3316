"""The model providers, and the few paths of theirs that a box may use."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from pydantic import SecretStr

from sandbox.gateway.errors import BadName
from sandbox.gateway.headers import Headers, end_to_end
from sandbox.gateway.prices import Prices, list_prices

ProviderName = Literal["anthropic", "openai"]

# Whose account, whose cookies, which host: the gateway's matter. Compressed answers could not be counted.
_NOT_OUT = frozenset(
    b"host authorization x-api-key cookie content-length content-encoding accept-encoding expect forwarded openai-organization "
    b"openai-project x-forwarded-for x-forwarded-host x-forwarded-proto".split()
)
_NOT_BACK = frozenset((b"set-cookie", b"openai-organization", b"openai-project", b"anthropic-organization-id"))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A path that a box may use.

    Attributes:
        provider: whose.
        path: at the provider, after its base URL.
        counted: it answers with tokens that cost something.
    """

    provider: ProviderName
    path: str
    counted: bool = True


ENDPOINTS: Mapping[tuple[bytes, str], Endpoint] = {
    (b"POST", "/anthropic/v1/messages"): Endpoint("anthropic", "/v1/messages"),
    (b"POST", "/anthropic/v1/messages/count_tokens"): Endpoint("anthropic", "/v1/messages/count_tokens", counted=False),
    (b"GET", "/anthropic/v1/models"): Endpoint("anthropic", "/v1/models", counted=False),
    (b"POST", "/openai/v1/chat/completions"): Endpoint("openai", "/chat/completions"),
    (b"POST", "/openai/v1/responses"): Endpoint("openai", "/responses"),
    (b"GET", "/openai/v1/models"): Endpoint("openai", "/models", counted=False),
}


class Provider:
    """Where calls go, and with which key.

    Args:
        name: which wire format and headers.
        base_url: as the provider's own clients take it: `https://api.anthropic.com`, `https://api.openai.com/v1`; the
            latter's `/v1` may be left out. `http://` is for servers in the house.
        key: None for servers that need none.

    Raises:
        BadName: the URL is not absolute, or carries user information, a query or a fragment.
    """

    def __init__(self, name: ProviderName, base_url: str, key: SecretStr | None = None) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
            raise BadName(f"the base URL of {name} must be https://host, with a path if need be")
        self.name, self._key = name, key
        self.host, self.tls = parts.hostname, parts.scheme == "https"
        self.port = parts.port or (443 if self.tls else 80)
        self._netloc = parts.netloc
        self._path = parts.path.rstrip("/") or ("/v1" if name == "openai" else "")

    def target(self, endpoint: Endpoint, query: str) -> bytes:
        """What to write into the request line."""
        return f"{self._path}{endpoint.path}{'?' if query else ''}{query}".encode()

    def headers_out(self, headers: Headers) -> Headers:
        """A box's headers as the provider gets them: with the real key, and nothing that names another account."""
        kept = tuple((name, value) for name, value in end_to_end(headers) if name.lower() not in _NOT_OUT)
        return (*kept, (b"Host", self._netloc.encode()), (b"Accept-Encoding", b"identity"), *self._credentials())

    def _credentials(self) -> Headers:
        if self._key is None:
            return ()
        key = self._key.get_secret_value().encode()
        return ((b"x-api-key", key),) if self.name == "anthropic" else ((b"Authorization", b"Bearer " + key),)


def headers_back(headers: Headers) -> Headers:
    """A provider's headers as a box gets them."""
    return tuple((name, value) for name, value in end_to_end(headers) if name.lower() not in _NOT_BACK)


def error_body(provider: ProviderName, kind: str, text: str) -> str:
    """An error in the provider's own shape, so that its clients can read it."""
    if provider == "anthropic":
        return json.dumps({"type": "error", "error": {"type": kind, "message": text}})
    return json.dumps({"error": {"message": text, "type": kind, "param": None, "code": kind}})


def _default_providers() -> Mapping[ProviderName, Provider]:
    return {"anthropic": Provider("anthropic", "https://api.anthropic.com"), "openai": Provider("openai", "https://api.openai.com/v1")}


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """How model calls are made.

    Attributes:
        providers: by name.
        prices: for costs and budgets.
        attempts: per model, the first included, while answers are 429 or 5xx or do not come.
        backoff_s: before the second attempt; doubles each time.
        longest_wait_s: for one attempt; a longer Retry-After is not waited for, the next model is asked.
        connect_s: TLS included.
        idle_s: how long a provider may be silent, before and within an answer.
        total_s: for one call with all attempts.
        body_bytes: of a request.
    """

    providers: Mapping[ProviderName, Provider] = field(default_factory=_default_providers)
    prices: Prices = field(default_factory=list_prices)
    attempts: int = 3
    backoff_s: float = 0.5
    longest_wait_s: float = 30.0
    connect_s: float = 10.0
    idle_s: float = 120.0
    total_s: float = 1800.0
    body_bytes: int = 16 << 20
