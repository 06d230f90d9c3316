"""Building one mail."""

from __future__ import annotations

from collections.abc import Mapping
from email.message import EmailMessage

DEFAULTS = {"Auto-Submitted": "auto-generated", "Precedence": "bulk"}


def build(recipient: str, subject: str, text: str, extra: Mapping[str, str] | None = None) -> EmailMessage:
    """Return a mail; extra headers win over the defaults."""
    message = EmailMessage()
    message["To"] = recipient
    message["Subject"] = subject
    for name, value in {**DEFAULTS, **(extra or {})}.items():
        message[name] = value
    message.set_content(text)
    return message
