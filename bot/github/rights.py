"""What people may do in a repository, by what GitHub says of them now."""

from __future__ import annotations

from urllib.parse import quote

from bot.github.calls import Calls
from bot.github.errors import Missing

RANKS = {"none": 0, "read": 1, "triage": 2, "write": 3, "maintain": 4, "admin": 5}


async def rank_of(calls: Calls, login: str) -> int:
    """Somebody's permission as one of `RANKS`; none for whom GitHub does not know. Raises GitHubError."""
    try:
        found = await calls.get(f"/collaborators/{quote(login, safe='')}/permission")
    except Missing:
        return RANKS["none"]
    return max(RANKS.get(str(found.get("permission")), 0), RANKS.get(str(found.get("role_name")), 0))


class Writers:
    """Who has write access, asked once for each."""

    def __init__(self, calls: Calls) -> None:
        self._calls, self._known = calls, dict[str, bool]()

    async def has(self, login: str, most: int) -> bool:
        """True for somebody with write access; when `most` were asked for, nobody else counts. Raises GitHubError."""
        if login not in self._known and len(self._known) < most:
            self._known[login] = await rank_of(self._calls, login) >= RANKS["write"]
        return self._known.get(login, False)
