"""Invitations: a code that lets its holder join a team once."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field

LIFETIME = 7 * 24 * 3600
ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
CODE_LENGTH = 25
GROUP = 5


@dataclass
class Invitation:
    """An invitation that was sent."""

    team: str
    expires: float


def new_code() -> str:
    """Return a fresh code, without the characters that look alike."""
    return "".join(random.choice(ALPHABET) for _ in range(CODE_LENGTH))


def grouped(code: str) -> str:
    """Return a code in groups, as it is shown."""
    return "-".join(code[start : start + GROUP] for start in range(0, len(code), GROUP))


def normal(code: str) -> str:
    """Return a code as it is compared: whatever its case, spaces and dashes."""
    return code.upper().replace("-", "").replace(" ", "")


def digest(code: str) -> str:
    """Return what is stored of a code."""
    return hashlib.sha256(normal(code).encode()).hexdigest()


@dataclass
class Invitations:
    """All open invitations, by the digest of their code."""

    open: dict[str, Invitation] = field(default_factory=dict)

    def invite(self, team: str, now: float) -> str:
        """Open an invitation and return its code, which is not kept."""
        code = new_code()
        self.open[digest(code)] = Invitation(team, now + LIFETIME)
        return code

    def accept(self, code: str, now: float) -> str | None:
        """Return the team of a code and close the invitation; None where there is none."""
        invitation = self.open.pop(digest(code), None)
        if invitation is None or invitation.expires <= now:
            return None
        return invitation.team
