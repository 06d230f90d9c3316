"""Who asks GitHub, and who is told by it."""

from __future__ import annotations

import functools
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.fakes.github import App, GitHub, Repository
from tests.fakes.loopback import Handler, Loopback


def json_web_token(app: App, *, issued_s: float = -60, expires_s: float = 500, issuer: str | None = None, key: str | None = None) -> str:
    """What an App signs itself; times are from now."""
    now = int(time.time())
    claims = {"iat": now + int(issued_s), "exp": now + int(expires_s), "iss": issuer or str(app.id)}
    return jwt.encode(claims, _loaded(key or app.private_key), algorithm="RS256")


@functools.cache
def _loaded(pem: str) -> RSAPrivateKey:
    # Checking a key takes longer than signing with it.
    key = load_pem_private_key(pem.encode(), None)
    assert isinstance(key, RSAPrivateKey)
    return key


class Client(httpx.Client):
    """Asks with one token; `here` is what stands before every path."""

    def __init__(self, github: GitHub, token: str | None, where: str = "") -> None:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self.here = github.api_url + where
        super().__init__(base_url=self.here, headers=headers, trust_env=False, verify=False)

    @classmethod
    def of_app(cls, github: GitHub) -> Self:
        """The App."""
        return cls(github, json_web_token(github.app))

    @classmethod
    def of_installation(cls, repository: Repository, permissions: Mapping[str, str] | None = None) -> Self:
        """The App at a repository."""
        return cls(repository.github, repository.github.installation_token(repository, permissions), f"/repos/{repository.full_name}")

    @classmethod
    def of_user(cls, repository: Repository, login: str) -> Self:
        """A user at a repository."""
        return cls(repository.github, repository.github.user_token(login), f"/repos/{repository.full_name}")

    def json_of(self, path: str, **more: Any) -> Any:
        """What there is at a path."""
        answer = self.get(path, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def create(self, at: str, /, **body: Any) -> Any:
        """What is made there."""
        answer = self.post(at, json=body)
        assert answer.status_code in (200, 201, 202), answer.text
        return answer.json()


@dataclass(frozen=True)
class Received:
    """One delivery as it arrived."""

    headers: Mapping[str, str]
    body: bytes


class Receiver(Loopback):
    """Takes webhooks and answers `status`, after `delay_s`."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.status = 202
        self.delay_s = 0.0
        receiver = self

        class Taking(Handler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.received.append(Received(dict(self.headers), body))
                time.sleep(receiver.delay_s)
                self.send_response(receiver.status)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

        super().__init__(Taking)
