"""What a tenant's agent tells those of others and hears from them: by the organisation's shared knowledge, never directly."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from box_review.agent_server.recall import Remembered
from box_review.client import Address
from box_review.errors import BoxReviewError, InputError
from box_review.knowledge import Entry, Knowledge, proposal
from box_review.sanitize import visible

MOST_READ = 5
MOST_LESSONS = 5
MOST_SOURCES = 8
MOST_HEARD = 12


class Sharing:
    """One organisation's shared knowledge, as its agent servers use it."""

    def __init__(self, address: Address | None) -> None:
        self._knowledge = Knowledge(address)

    def close(self) -> None:
        """End all connections."""
        self._knowledge.close()

    def read(self, question: str) -> list[Entry]:
        """What is published and fits a question. Raises ServerUnavailable."""
        return self._knowledge.search(question[:1000], MOST_READ)

    def propose(self, tenant: str, entry: Remembered, heard: Sequence[str] = ()) -> Entry:
        """Offer something remembered to all; it is scrubbed, and published once others or a person say so too.

        Args:
            heard: entries that the agent was told before. It may come from them, and falls with them.

        Raises InputError, RequestRejected, ServerUnavailable.
        """
        if not entry.holds:
            raise InputError(f"{entry.id} holds no longer; only what does can be proposed")
        sources = [*(_source(tenant, source) for source in entry.sources), *_heard(heard)]
        return self._knowledge.propose(proposal(tenant, entry.text, entry.about, sources))

    def lessons(self, tenant: str, digest: Mapping[str, Any], observations: Sequence[Mapping[str, Any]], heard: Sequence[str] = ()) -> str:
        """Propose what an agent holds to be useful for others. One that is refused does not stop the rest; returns why the last was."""
        known = {str(observation.get("id")): observation for observation in observations}
        lessons: list[dict[str, Any]] = digest.get("lessons") or []
        refusal = ""
        for lesson in lessons[:MOST_LESSONS]:
            named: list[str] = lesson.get("from") or []
            found = [f"{ref} {known[ref].get('at')}" for ref in named if ref in known]
            if not found:
                continue
            sources = [*(_source(tenant, source) for source in found[:MOST_SOURCES]), *_heard(heard)]
            try:
                self._knowledge.propose(proposal(tenant, str(lesson.get("text", "")), str(lesson.get("about", "")), sources))
            except BoxReviewError as error:
                refusal = str(error)
        return refusal


def _heard(entries: Sequence[str]) -> list[tuple[str, datetime]]:
    """The latest entries that an agent was told, as sources; what came from a box is no id unless it looks like one."""
    now = datetime.now(UTC)
    known = [ident for ident in dict.fromkeys(entries) if re.fullmatch(r"kn-[0-9a-f]{16}", ident)]
    return [(ident, now) for ident in known[-MOST_HEARD:]]


def _source(tenant: str, source: str) -> tuple[str, datetime]:
    """`o-… TIME`, as a memory writes it down, for the store: named so that it can be revoked. What has no time has one long past."""
    ref, _, at = source.rpartition(" ")
    try:
        seen = datetime.fromisoformat(at)
    except ValueError:
        ref, seen = source, datetime.fromtimestamp(0, UTC)
    return f"{tenant}/{visible(ref)}"[:300], seen if seen.tzinfo else seen.replace(tzinfo=UTC)
