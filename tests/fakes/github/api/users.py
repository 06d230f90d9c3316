"""Users, and what is left of a caller's rate."""

from __future__ import annotations

from tests.fakes.github.accounts import Account
from tests.fakes.github.api.call import TOKENS, Call, operation
from tests.fakes.github.repository import ROLES, Repository
from tests.fakes.github.shapes import people, places
from tests.fakes.github.wire import JSON, Page, missing


@operation("users/get-by-username")
def get_user(call: Call) -> JSON:
    account = call.github.account(call.values["username"])
    if account is None:
        raise missing()
    return people.profile(account)


@operation("users/get-authenticated", by=("user", "user-to-server"))
def get_self(call: Call) -> JSON:
    return people.own_profile(call.account)


@operation("apps/list-installations-for-authenticated-user", by=("user-to-server",))
def installations(call: Call) -> Page:
    assert call.app is not None
    places_ = [
        place
        for place in call.app.installations
        if any(_has_access(repository, call.account) for repository in place.repositories) or place.account is call.account
    ]
    return Page(places_, people.installation, "installations")


@operation("apps/list-installation-repos-for-authenticated-user", by=("user-to-server",))
def installation_repositories(call: Call) -> Page:
    assert call.app is not None
    place = next((place for place in call.app.installations if place.id == call.ident("installation_id")), None)
    if place is None:
        raise missing()
    seen = [repository for repository in place.repositories if _has_access(repository, call.account)]
    return Page(seen, lambda one: _with_permissions(one, call.account), "repositories", {"repository_selection": "selected"})


def _has_access(repository: Repository, account: Account) -> bool:
    """Whether somebody was given access: that everybody can read what is public does not count."""
    return account is repository.owner or repository.members.get(account.login.lower(), "none") != "none"


def _with_permissions(repository: Repository, account: Account) -> JSON:
    """A repository, with what somebody may in it."""
    rank = ROLES.index(repository.role(account))
    names = {"pull": "read", "triage": "triage", "push": "write", "maintain": "maintain", "admin": "admin"}
    return {**places.repository(repository), "permissions": {name: rank >= ROLES.index(role) for name, role in names.items()}}


@operation("rate-limit/get", by=("none", "app", *TOKENS))
def rate_limit(call: Call) -> JSON:
    core = call.github.rates.state(call.caller)
    other = {"limit": 30, "remaining": 30, "reset": core["reset"], "used": 0}
    return {"resources": {"core": core, "search": other, "graphql": dict(core)}, "rate": core}
