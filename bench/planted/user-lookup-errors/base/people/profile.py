"""Profiles."""

from __future__ import annotations

from people.users import Users


def profile(users: Users, name: str) -> tuple[int, str]:
    """Return status and text of a profile page."""
    user = users.find(name)
    if user is None:
        return 404, "no such user"
    return 200, f"{user.name} <{user.mail}>"
