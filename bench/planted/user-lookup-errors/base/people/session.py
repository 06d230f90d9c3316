"""Signing in and resetting passwords; the answer never tells whether a name exists."""

from __future__ import annotations

from collections.abc import Callable

from people.users import Users, hash_password

NO_SALT = b"\0" * 16


def sign_in(users: Users, name: str, password: str) -> tuple[int, str]:
    """Return status and text for an attempt to sign in."""
    user = users.find(name)
    if user is None:
        hash_password(password, NO_SALT)
        return 401, "wrong name or password"
    if not user.knows(password):
        return 401, "wrong name or password"
    return 200, f"welcome, {user.name}"


def reset(users: Users, name: str, send: Callable[[str], None]) -> tuple[int, str]:
    """Send a link for a new password to the user, where there is one."""
    if (user := users.find(name)) is not None:
        send(user.mail)
    return 202, "a mail is on its way if the name exists"
