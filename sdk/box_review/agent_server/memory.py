"""The memory of one tenant, which lies in its box: read, searched, corrected, forgotten."""

from __future__ import annotations

import threading
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from box_review.agent_server.recall import MOST_TOKENS, Recall, Remembered
from box_review.agent_server.tenant_box import MemoryBroken, TenantBox, listed, number
from box_review.errors import InputError
from box_review.sanitize import visible

_ENTRIES = TypeAdapter(list[Remembered])
_MOST_TEXT = 2000


class Memory:
    """A tenant's memory. All methods wake the box, and raise ServerUnavailable (MemoryBroken if it cannot be read) and BoxError."""

    def __init__(self, tenant: str, box: TenantBox) -> None:
        self._tenant, self._box = tenant, box
        self._recall = Recall([])
        self._version, self._entries = "", list[Remembered]()
        self.heard: list[str] = []
        """Entries of shared knowledge that the agent was told, as of the last look."""
        self._waiting = 0
        self._looking = threading.Lock()

    def read(self) -> list[Remembered]:
        """All that is remembered, oldest first; what no longer holds has an `until`."""
        with self._looking:
            self._look()
            return list(self._entries)

    def recall(self, question: str, max_tokens: int = MOST_TOKENS) -> list[Remembered]:
        """What fits a question, best first."""
        self.look()
        return self.find(question, max_tokens)

    def look(self) -> int:
        """Bring what is known here up to date; returns how many batches wait to be digested."""
        with self._looking:
            self._look()
            return self._waiting

    def find(self, question: str, max_tokens: int = MOST_TOKENS) -> list[Remembered]:
        """What fits a question as of the last look, best first. Asks nobody."""
        with self._looking:
            return self._recall.find(question, max_tokens)

    def learn(self, text: str, *, kind: Literal["fact", "preference"] = "fact", about: str = "", source: str = "by hand") -> Remembered:
        """Remember something that somebody says. Raises InputError."""
        if not visible(text).strip():
            raise InputError("there is nothing to remember in an empty text")
        return self._changed("learn", kind=kind, text=visible(text)[:_MOST_TEXT], about=about, source=source)

    def correct(self, ident: str, text: str) -> Remembered:
        """Say what is so instead; the entry is closed and stays readable. Raises InputError if there is none such."""
        if not visible(text).strip():
            raise InputError(f"{visible(ident)[:20]} cannot be corrected to an empty text; `forget` drops it")
        return self._changed("correct", id=ident, text=visible(text)[:_MOST_TEXT])

    def forget(self, ident: str) -> Remembered:
        """Drop an entry and what it had replaced, from all versions of the memory. Raises InputError if there is none such."""
        return self._changed("forget", id=ident)

    def history(self, limit: int = 20) -> list[dict[str, str]]:
        """The latest changes, latest first: {commit, at, why}."""
        changes = listed(self._box.remember("log", limit=limit), "changes", dict)
        return [{visible(str(name)): visible(str(value)) for name, value in change.items()} for change in changes]

    def _look(self) -> None:
        found = self._box.remember("read", unless=self._version)
        self.heard, self._waiting = listed(found, "heard", str), number(found, "waiting")
        if found.get("same") is True:
            return
        try:
            self._entries = _ENTRIES.validate_python(found["entries"])
        except (KeyError, ValidationError) as error:
            raise _unlike(self._tenant) from error
        self._recall.close()
        self._recall, self._version = Recall(self._entries), str(found.get("version", ""))

    def _changed(self, command: str, **given: Any) -> Remembered:
        try:
            return Remembered.model_validate(self._box.remember(command, **given))
        except ValidationError as error:
            raise _unlike(self._tenant) from error


def _unlike(tenant: str) -> MemoryBroken:
    return MemoryBroken(f"the memory of {tenant} is not in its form; `git log` in its folder `memory` shows who changed what")
