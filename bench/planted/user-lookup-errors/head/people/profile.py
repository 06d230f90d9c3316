"""Profiles."""

from __future__ import annotations

from people.users import UserNotFound, Users


def profile(users: Users, name: str) -> tuple[int, str]:
    """Return status and text of a profile page."""
    try:
        user = users.find(name)
    except UserNotFound as error:
        return 404, str(error)
    return 200, f"{user.name} <{user.mail}>"
