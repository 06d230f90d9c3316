"""What comes of revoking a source: all support that rests on it goes, and every entry that does not stand without it; and so on from there.

An entry's id is a source as well: what a tenant learned from an entry goes with that entry, in whichever organisation.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from box_review.knowledge import Entry, Support


@dataclass(frozen=True, slots=True)
class Bad:
    """Sources that nothing may rest on, and why."""

    reason: str
    tenants: Collection[str] = frozenset()
    refs: Collection[str] = frozenset()

    def holds(self, support: Support) -> bool:
        """True for support that rests on one. A tenant that drew on several things drew on each: which one it was cannot be told."""
        return support.tenant in self.tenants or any(ref in self.refs for ref in support.refs)


def bereft(entries: Iterable[Entry], bad: Bad, needed: int) -> list[Entry]:
    """Entries of one scope that rest on bad sources, as they are without them.

    Args:
        needed: supporters that an entry must have which no person has approved.
    """
    changed = []
    for entry in entries:
        left = tuple(support for support in entry.support if not bad.holds(support))
        if len(left) < len(entry.support):
            changed.append(_without(entry, left, needed, bad.reason))
    return changed


def independent(support: Iterable[Support]) -> int:
    """How many of the tenants that say something have it from sources of their own: those that saw the same thing count as one."""
    groups: list[set[str]] = []
    alone = 0
    for one in support:
        if not one.refs:
            alone += 1
            continue
        joined = set(one.refs)
        apart = []
        for group in groups:
            if group.isdisjoint(joined):
                apart.append(group)
            else:
                joined |= group
        groups = [*apart, joined]
    return alone + len(groups)


def withdrawn(before: Mapping[str, Entry], after: Iterable[Entry]) -> list[str]:
    """Ids of entries that fell by a change."""
    return [entry.id for entry in after if entry.state == "revoked" and before[entry.id].state != "revoked"]


def _without(entry: Entry, left: tuple[Support, ...], needed: int, reason: str) -> Entry:
    entry = entry.model_copy(update={"support": left})
    stands = bool(left) and (entry.state == "proposed" or bool(entry.approved_by) or independent(left) >= needed)
    if entry.state in ("refused", "revoked") or stands:
        return entry
    return entry.model_copy(update={"state": "revoked", "reason": reason, "shared": False, "published_at": None, "approved_by": None})
