"""Accounts, Apps and installations."""

from __future__ import annotations

from tests.fakes.github.accounts import Account, App, Installation
from tests.fakes.github.clock import node, stamp, stamped
from tests.fakes.github.wire import JSON

_PREFIX = {"User": "U", "Organization": "O", "Bot": "BOT"}
_LISTS = ("followers", "subscriptions", "organizations", "repos", "received_events")
_TEMPLATES = {"following": "{/other_user}", "gists": "{/gist_id}", "starred": "{/owner}{/repo}", "events": "{/privacy}"}


def account(somebody: Account) -> JSON:
    """Anybody, in short."""
    url = f"{somebody.github.api_url}/users/{somebody.login}"
    page = somebody.login.removesuffix("[bot]")
    return {
        "login": somebody.login, "id": somebody.id, "node_id": node(_PREFIX[somebody.type], somebody.id), "gravatar_id": "",
        "avatar_url": f"{somebody.github.url}/avatars/u/{somebody.id}?v=4", "url": url,
        "html_url": f"{somebody.github.url}/{'apps/' if somebody.type == 'Bot' else ''}{page}",
        **{f"{name}_url": f"{url}/{name}" for name in _LISTS},
        **{f"{name}_url": f"{url}/{name}{rest}" for name, rest in _TEMPLATES.items()},
        "type": somebody.type, "site_admin": False, "user_view_type": "public",
    }  # fmt: skip


def profile(somebody: Account) -> JSON:
    """Anybody, with what a page shows."""
    when = stamp(somebody.created_at)
    return {
        **account(somebody), "name": somebody.login.title(), "company": None, "blog": "", "location": None, "email": None,
        "hireable": None, "bio": None, "twitter_username": None, "public_repos": 0, "public_gists": 0, "followers": 0, "following": 0,
        "created_at": when, "updated_at": when,
    }  # fmt: skip


def own_profile(somebody: Account) -> JSON:
    """What only oneself sees."""
    return {
        **profile(somebody), "private_gists": 0, "total_private_repos": 0, "owned_private_repos": 0, "disk_usage": 0, "collaborators": 0,
        "two_factor_authentication": True,
    }  # fmt: skip


def organization(somebody: Account) -> JSON:
    """An organization as events have it."""
    url = f"{somebody.github.api_url}/orgs/{somebody.login}"
    return {
        "login": somebody.login, "id": somebody.id, "node_id": node("O", somebody.id), "url": url, "description": "",
        "avatar_url": f"{somebody.github.url}/avatars/u/{somebody.id}?v=4",
        **{f"{name}_url": f"{url}/{name}" for name in ("repos", "events", "hooks", "issues")},
        "members_url": f"{url}/members{{/member}}", "public_members_url": f"{url}/public_members{{/member}}",
    }  # fmt: skip


def app(integration: App) -> JSON:
    """An App."""
    when = stamp(integration.created_at)
    return {
        "id": integration.id, "client_id": integration.client_id, "slug": integration.slug, "node_id": node("A", integration.id),
        "owner": account(integration.owner), "name": integration.name, "description": integration.description,
        "external_url": integration.external_url, "html_url": f"{integration.github.url}/apps/{integration.slug}",
        "created_at": when, "updated_at": when, "permissions": {"metadata": "read", **integration.permissions},
        "events": list(integration.events),
    }  # fmt: skip


def installation(place: Installation) -> JSON:
    """Where an App is installed."""
    github, when = place.app.github, stamp(place.created_at)
    owner = f"organizations/{place.account.login}/settings" if place.account.type == "Organization" else "settings"
    return {
        "id": place.id, "account": account(place.account), "repository_selection": "selected",
        "access_tokens_url": f"{github.api_url}/app/installations/{place.id}/access_tokens",
        "repositories_url": f"{github.api_url}/installation/repositories",
        "html_url": f"{github.url}/{owner}/installations/{place.id}",
        "app_id": place.app.id, "app_slug": place.app.slug, "client_id": place.app.client_id,
        "target_id": place.account.id, "target_type": place.account.type,
        "permissions": {"metadata": "read", **place.permissions}, "events": list(place.events), "created_at": when, "updated_at": when,
        "single_file_name": None, "has_multiple_single_files": False, "single_file_paths": [],
        "suspended_by": account(github.owner_of(place.account)) if place.suspended_at else None,
        "suspended_at": stamped(place.suspended_at),
    }  # fmt: skip
