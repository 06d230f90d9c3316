"""What comes of revoking a source: all support that rests on it goes, and every entry that does not stand without it; and so on from there.

An entry's id is a source as well: what a tenant learned from an entry goes with that entry, in whichever organisation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from box_review.knowledge import Entry, Support


def bereft(entries: Iterable[Entry], *, tenant: str | None, ref: str | None, needed: int, reason: str) -> list[Entry]:
    """Entries of one scope that rest on a source, as they are without it.

    Args:
        needed: supporters that an entry must have which no person has approved.
    """
    changed = []
    for entry in entries:
        left = tuple(support for support in entry.support if not _rests_on(support, tenant, ref))
        if len(left) < len(entry.support):
            changed.append(_without(entry, left, needed, reason))
    return changed


def withdrawn(before: Mapping[str, Entry], after: Iterable[Entry]) -> list[str]:
    """Ids of entries that fell by a change."""
    return [entry.id for entry in after if entry.state == "revoked" and before[entry.id].state != "revoked"]


def _rests_on(support: Support, tenant: str | None, ref: str | None) -> bool:
    """A tenant that drew on several things drew on each of them: which one it was cannot be told."""
    return support.tenant == tenant if tenant is not None else ref in support.refs


def _without(entry: Entry, left: tuple[Support, ...], needed: int, reason: str) -> Entry:
    entry = entry.model_copy(update={"support": left})
    stands = bool(left) and (entry.state == "proposed" or bool(entry.approved_by) or len(left) >= needed)
    if entry.state in ("refused", "revoked") or stands:
        return entry
    return entry.model_copy(update={"state": "revoked", "reason": reason, "shared": False, "published_at": None, "approved_by": None})
