"""Who there is: users, organizations, Apps and where they are installed."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.fakes.github.clock import now

if TYPE_CHECKING:
    from tests.fakes.github.github import GitHub
    from tests.fakes.github.repository import Repository

PERMISSIONS = {"metadata": "read", "contents": "read", "pull_requests": "write", "checks": "write", "issues": "write"}
EVENTS = ("pull_request", "issue_comment", "pull_request_review", "pull_request_review_comment", "check_run", "check_suite")
ALWAYS = ("installation", "installation_repositories", "github_app_authorization", "ping")
"""Events that an App gets without asking for them."""

LEVELS = ("none", "read", "write", "admin")


@dataclass(eq=False)
class Account:
    """Somebody: `type` is User, Organization or Bot."""

    github: GitHub
    login: str
    type: str = "User"
    id: int = 0
    app: App | None = None
    """Whose bot it is."""

    def __post_init__(self) -> None:
        self.id = self.github.next_id()
        self.created_at = now()


@dataclass(eq=False)
class App:
    """A GitHub App."""

    github: GitHub
    slug: str
    owner: Account
    permissions: dict[str, str] = field(default_factory=lambda: dict(PERMISSIONS))
    events: list[str] = field(default_factory=lambda: list(EVENTS))
    name: str = ""
    webhook_url: str | None = None
    callback_urls: list[str] = field(default_factory=list)
    token_lifetime_s: float = 3600

    def __post_init__(self) -> None:
        self.id = next(self.github.app_ids)
        self.name = self.name or self.slug
        self.description: str | None = None
        self.external_url = f"{self.github.url}/apps/{self.slug}"
        self.webhook_secret = secrets.token_hex(20)
        self.client_id = f"Iv23li{secrets.token_hex(7)}"
        self.client_secret = secrets.token_hex(20)
        self.hook_id = self.github.next_id()
        self.created_at = now()
        self.bot = Account(self.github, f"{self.slug}[bot]", "Bot", app=self)
        self.installations: list[Installation] = []

    @property
    def private_key(self) -> str:
        """PEM; an App's of the same number has the same in every GitHub of a session, because making one takes a while."""
        return _key(self.id)[0]

    @property
    def public_key(self) -> str:
        """PEM."""
        return _key(self.id)[1]

    def installation(self, repository: Repository) -> Installation | None:
        """Where it is installed for a repository, or None."""
        return next((place for place in self.installations if repository in place.repositories), None)

    def install(self, repository: Repository) -> Installation:
        """Install it for one more repository; the App is told."""
        for place in self.installations:
            if place.account is repository.owner:
                place.repositories.append(repository)
                repository.github.webhooks.installation_repositories(place, added=[repository])
                return place
        place = Installation(self.github.next_id(), self, repository.owner, [repository], dict(self.permissions), list(self.events))
        self.installations.append(place)
        repository.github.webhooks.installation(place, "created")
        return place

    def uninstall(self, repository: Repository) -> None:
        """Remove it from a repository, and from the account when that was the last."""
        place = self._installed(repository)
        place.repositories.remove(repository)
        if place.repositories:
            self.github.webhooks.installation_repositories(place, removed=[repository])
            return
        place.repositories.append(repository)
        self.github.webhooks.installation(place, "deleted")
        place.repositories.clear()
        self.installations.remove(place)

    def suspend(self, repository: Repository) -> None:
        """Its owner stops it for a while: its tokens are refused and it hears nothing."""
        place = self._installed(repository)
        place.suspended_at = now()
        self.github.webhooks.installation(place, "suspend")

    def unsuspend(self, repository: Repository) -> None:
        """Its owner lets it go on."""
        place = self._installed(repository)
        place.suspended_at = None
        self.github.webhooks.installation(place, "unsuspend")

    def grant(self, **permissions: str) -> None:
        """Have other permissions (`none` takes one away) wherever it is installed, as if the owners had accepted them at once."""
        for name, level in permissions.items():
            for given in (self.permissions, *(place.permissions for place in self.installations)):
                given.pop(name, None) if level == "none" else given.update({name: level})
        for place in self.installations:
            self.github.webhooks.installation(place, "new_permissions_accepted")

    def ping(self) -> None:
        """GitHub tries its webhook."""
        self.github.webhooks.ping(self)

    def _installed(self, repository: Repository) -> Installation:
        place = self.installation(repository)
        assert place is not None, f"{self.slug} is not installed for {repository.full_name}"
        return place


@dataclass(eq=False)
class Installation:
    """An App in an account."""

    id: int
    app: App
    account: Account
    repositories: list[Repository]
    permissions: dict[str, str]
    events: list[str]
    suspended_at: datetime | None = None
    created_at: datetime = field(default_factory=now)


def allows(given: Mapping[str, str], name: str, level: str) -> bool:
    """Whether permissions reach a level of one."""
    return LEVELS.index(given.get(name, "none")) >= LEVELS.index(level)


@functools.cache
def _key(number: int) -> tuple[str, str]:
    """A pair of keys, made once in a session: private and public PEM."""
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()
