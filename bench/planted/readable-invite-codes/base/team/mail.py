"""Texts of the mails."""

from __future__ import annotations

TEMPLATE = """Hello,

you are invited to join {team}. Your code is

    {code}

It can be used once, within seven days.
"""


def invitation(team: str, code: str) -> str:
    """Return the text of an invitation."""
    return TEMPLATE.format(team=team, code=code)
