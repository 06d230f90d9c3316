"""Building one mail."""

from __future__ import annotations

from collections.abc import Mapping
from email.message import EmailMessage

DEFAULTS = {
    "bulk": {"Auto-Submitted": "auto-generated", "Precedence": "bulk"},
    "receipt": {"Auto-Submitted": "auto-replied"},
}


def headers_for(kind: str, extra: Mapping[str, str] | None) -> dict[str, str]:
    """Return the headers of a mail of this kind; extra headers win over the defaults."""
    headers = DEFAULTS.get(kind, DEFAULTS["bulk"])
    if extra:
        headers.update(extra)
    return headers


def build(
    recipient: str, subject: str, text: str, extra: Mapping[str, str] | None = None, kind: str = "bulk"
) -> EmailMessage:
    """Return a mail of a kind: bulk or receipt."""
    message = EmailMessage()
    message["To"] = recipient
    message["Subject"] = subject
    for name, value in headers_for(kind, extra).items():
        message[name] = value
    message.set_content(text)
    return message
