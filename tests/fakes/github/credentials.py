"""Who asks: JSON web tokens of Apps, tokens of installations, workflows and users."""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

import jwt

from tests.fakes.github.accounts import Account, App, Installation, allows
from tests.fakes.github.clock import now
from tests.fakes.github.wire import Refused, Request, missing

if TYPE_CHECKING:
    from tests.fakes.github.github import GitHub
    from tests.fakes.github.repository import Repository

MOST_JWT_S, SKEW_S = 600, 5

Kind = Literal["none", "app", "installation", "workflow", "user", "user-to-server"]


@dataclass(eq=False)
class Caller:
    """Who asks, and what it may."""

    kind: Kind
    account: Account | None = None
    app: App | None = None
    installation: Installation | None = None
    permissions: Mapping[str, str] | None = None
    """None: whatever the account may."""
    repositories: tuple[Repository, ...] | None = None
    """None: all that the installation has."""
    token: str = ""
    expires_at: datetime | None = None

    @property
    def who(self) -> str:
        """A login, or the slug of an App."""
        return self.account.login if self.account else self.app.slug if self.app else ""

    @property
    def reach(self) -> list[Repository]:
        """The repositories a token was made for."""
        held = self.installation.repositories if self.installation else None
        if self.repositories is None:
            return list(held or ())
        return [repository for repository in self.repositories if held is None or repository in held]

    def needs(self, repository: Repository, *any_of: str) -> None:
        """Raises Refused unless it has one of the permissions (`checks:write`) for a repository."""
        if self.kind in ("user", "user-to-server"):
            self._user_needs(repository, any_of)
        if self.kind == "user":
            return
        reach = self.reach if self.kind in ("installation", "workflow") else self._reach_of_app()
        if repository not in reach:
            raise missing() if repository.private else _inaccessible(any_of)
        if not any(allows({"metadata": "read", **(self.permissions or {})}, *permission.split(":")) for permission in any_of):
            raise _inaccessible(any_of)

    def _reach_of_app(self) -> list[Repository]:
        return [repository for place in self.app.installations for repository in place.repositories] if self.app else []

    def _user_needs(self, repository: Repository, any_of: Iterable[str]) -> None:
        assert self.account is not None
        role = repository.role(self.account)
        if role == "none" and repository.private:
            raise missing()
        wanted = {permission.split(":")[0] for permission in any_of if permission.endswith(":write")}
        if wanted and not wanted & {"issues", "pull_requests"} and role not in ("admin", "maintain", "write"):
            raise Refused(403, "Must have push access to repository.")


class Credentials:
    """All tokens there are."""

    def __init__(self, github: GitHub) -> None:
        self._github = github
        self._tokens: dict[str, Caller] = {}

    def caller(self, request: Request) -> Caller:
        """Raises Refused for what is unknown, forged or out of date."""
        kind, _, secret = request.headers.get("authorization", "").partition(" ")
        if not kind:
            return Caller("none")
        if kind.lower() == "basic":
            return self._basic(secret)
        if kind.lower() not in ("bearer", "token"):
            raise Refused(401, "Bad credentials")
        return self._app(secret) if secret.count(".") == 2 else self.holder(secret)

    def _basic(self, secret: str) -> Caller:
        """As git sends it: the user's name does not matter."""
        try:
            return self.holder(base64.b64decode(secret).decode().partition(":")[2])
        except ValueError as error:
            raise Refused(401, "Bad credentials") from error

    def holder(self, token: str) -> Caller:
        """Whose token that is."""
        caller = self._tokens.get(token)
        place = caller.installation if caller else None
        if caller is None or (caller.expires_at is not None and caller.expires_at <= _precise_now()):
            raise Refused(401, "Bad credentials")
        if place is not None and place not in place.app.installations:
            raise Refused(401, "Bad credentials")
        if place is not None and place.suspended_at is not None:
            raise Refused(403, "This installation has been suspended")
        return caller

    def _app(self, token: str) -> Caller:
        try:
            claims = jwt.decode(token, options={"verify_signature": False})
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError as error:
            raise Refused(401, "A JSON web token could not be decoded") from error
        app = next((app for app in self._github.apps if str(claims.get("iss")) in (str(app.id), app.client_id)), None)
        if app is None:
            raise Refused(404, "Integration not found")
        try:
            jwt.decode(token, app.public_key, algorithms=["RS256"], options={"verify_exp": False, "verify_iat": False, "verify_iss": False})
        except jwt.PyJWTError as error:
            raise Refused(401, "A JSON web token could not be decoded") from error
        _check_times(claims)
        assert header["alg"] == "RS256"
        return Caller("app", app=app, permissions=app.permissions)

    def install_token(self, place: Installation, permissions: Mapping[str, str] | None, repositories: list[Repository] | None) -> Caller:
        """A new token of an installation, narrowed if asked."""
        app = place.app
        caller = Caller(
            "installation", app.bot, app, place, {**(permissions or place.permissions), "metadata": "read"},
            None if repositories is None else tuple(repositories), f"ghs_{secrets.token_hex(18)}",
            _precise_now() + timedelta(seconds=app.token_lifetime_s),
        )  # fmt: skip
        return self._keep(caller)

    def workflow_token(self, app: App, repository: Repository, permissions: Mapping[str, str]) -> str:
        """What a workflow has as GITHUB_TOKEN."""
        caller = Caller("workflow", app.bot, app, None, {**permissions, "metadata": "read"}, (repository,), f"ghs_{secrets.token_hex(18)}")
        return self._keep(caller).token

    def user_token(self, account: Account, app: App | None = None) -> str:
        """A user's own token, or what an App has on a user's behalf."""
        if app is None:
            return self._keep(Caller("user", account, token=f"ghp_{secrets.token_hex(18)}")).token
        return self._keep(Caller("user-to-server", account, app, None, app.permissions, None, f"ghu_{secrets.token_hex(18)}")).token

    def revoke(self, caller: Caller) -> None:
        """It is unknown from now on."""
        self._tokens.pop(caller.token, None)

    def expire(self) -> None:
        """All tokens of installations are out of date."""
        for caller in self._tokens.values():
            caller.expires_at = now() if caller.kind == "installation" else caller.expires_at

    def _keep(self, caller: Caller) -> Caller:
        self._tokens[caller.token] = caller
        return caller


def _precise_now() -> datetime:
    return datetime.now(now().tzinfo)


def _check_times(claims: Mapping[str, object]) -> None:
    at, expires, issued = time.time(), claims.get("exp"), claims.get("iat")
    if not isinstance(expires, int) or expires <= at:
        raise Refused(
            401, "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires"
        )
    if not isinstance(issued, int) or issued > at + SKEW_S:
        raise Refused(401, "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued")
    if expires > at + MOST_JWT_S:
        raise Refused(401, "'Expiration time' claim ('exp') is too far in the future")


def _inaccessible(any_of: Iterable[str]) -> Refused:
    wanted = "; ".join(permission.replace(":", "=") for permission in any_of)
    return Refused(403, "Resource not accessible by integration", headers={"x-accepted-github-permissions": wanted})
