"""The last look at what is sent to GitHub or written to a log: what looks like a credential, or is one of ours, is taken out.

What agents say was written by somebody who read hostile code; they are kept from our secrets, and this is for the day they are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from box_review.scrub import CREDENTIAL

SHORTEST = 8
PLACE = "[redacted]"


class Redaction:
    """Takes credentials out of texts. Args: secrets that are known by value."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = {secret for secret in known if len(secret) >= SHORTEST}

    def add(self, secret: str) -> None:
        """One more; those that were are kept."""
        if len(secret) >= SHORTEST:
            self._known.add(secret)

    def forget(self, secret: str) -> None:
        """One less: it opens nothing any more."""
        self._known.discard(secret)

    def text(self, text: str) -> str:
        """A text without credentials."""
        for secret in self._known:
            if secret in text:
                text = text.replace(secret, PLACE)
        return CREDENTIAL.sub(PLACE, text)

    def of(self, value: Any) -> Any:
        """The same value with every text in it redacted."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {name: self.of(part) for name, part in value.items()}
        if isinstance(value, list | tuple):
            return [self.of(part) for part in value]
        return value
