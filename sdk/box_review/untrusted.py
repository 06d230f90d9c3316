"""How text of others stands in a prompt: between marks with a number that its author cannot know, so that nothing in it can end them."""

from __future__ import annotations

import secrets


def nonce() -> str:
    """A number for the marks of one prompt."""
    return secrets.token_hex(8)


def untrusted(number: str, what: str, text: str) -> str:
    """A text between marks; `what` says in a few words of ours what it is."""
    return f'<untrusted id="{number}" what="{what}">\n{text}\n</untrusted id="{number}">'
