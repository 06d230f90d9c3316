"""What may be done with knowledge, and what follows from it. Knows no HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from box_review.knowledge import Entry, Proposal, Revocation, Revoked, SourceName, State, Support, Withdrawn

from bot.errors import Refused
from bot.knowledge.descent import Bad, bereft, independent, withdrawn
from bot.knowledge.files import scope_of
from bot.knowledge.history import Deed
from bot.knowledge.intake import begun, check_room, check_sources, joined, now, says_nothing_new, screened_proposal, supported_by
from bot.knowledge.pace import Pace
from bot.knowledge.screening import named, screened, scrubbed
from bot.knowledge.shelf import Shelf, is_common
from bot.knowledge.store import Store, Writing

MOST_REVOKED = 2_000
REVOKED_BEFORE = "revoked before"


class NoSuchEntry(Refused):
    """Nothing is known by this id, or it is another organisation's."""

    def __init__(self, ident: str) -> None:
        super().__init__(f"no entry {ident!r}", 404)


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks: the organisation, and the key it was asked with."""

    scope: str
    key_id: str


class Desk:
    """The knowledge of all organisations.

    Args:
        folder: where it lies; made on first use.
        needed: tenants that must say the same before it is published without a person.
        shares: whether organisations may read what others share.

    All methods raise Refused.
    """

    def __init__(self, folder: Path, *, needed: int, shares: bool) -> None:
        self.store = Store(folder, self._settle)
        self.shares = shares
        self._needed = needed
        self._pace = Pace()

    def propose(self, by: Person, proposal: Proposal) -> Entry:
        """Take a proposal up; the entry that stands for it now."""
        tenant = named(proposal.tenant)
        self._pace.step(by.scope, tenant)
        support = supported_by(tenant, proposal)
        with self.store.changing() as writing:
            shelf = writing.shelf(by.scope)
            check_sources(writing, shelf, support)
            names = (*shelf.tenants, tenant)
            found = screened_proposal(proposal, names)
            known = shelf.same(found.text)
            if known is not None and (known.state == "refused" or known.id in support.refs or says_nothing_new(known, support)):
                return known  # decided, an echo of itself, or nothing new
            check_room(shelf, tenant, known)
            entry = known or begun(by.scope, found.text, scrubbed(proposal.topic))
            if entry.state in ("proposed", "revoked"):  # by whoever said it, and with the names that are known by now
                flags = (*entry.flags, *found.flags, *screened(entry.text, names).flags)
                entry = entry.model_copy(update={"flags": tuple(dict.fromkeys(flags))})
            return self._supported(writing, entry, support, by)

    def _supported(self, writing: Writing, entry: Entry, support: Support, by: Person) -> Entry:
        others = tuple(other for other in entry.support if other.tenant != support.tenant)
        was = next((other for other in entry.support if other.tenant == support.tenant), None)
        entry = entry.model_copy(update={"support": (*others, joined(was, support))})
        what = "supported" if others or was else "proposed"
        if entry.state == "revoked":
            flags = tuple(dict.fromkeys((*entry.flags, REVOKED_BEFORE)))
            entry = entry.model_copy(update={"state": "proposed", "reason": None, "flags": flags})
        if entry.state == "proposed" and not entry.flags and independent(entry.support) >= self._needed:
            entry, what = entry.model_copy(update={"state": "published", "published_at": now()}), "published"
        writing.keep(by.scope, [entry], Deed(what, (entry.id,), by.key_id, support.tenant))
        return entry

    def approve(self, by: Person, ident: str, *, share: bool) -> Entry:
        """Publish it, as a person; once more changes only whether it is shared."""
        with self.store.changing() as writing:
            entry = _own(writing.shelf(by.scope), ident)
            if entry.state == "revoked":
                raise Refused(f"{ident} was revoked with its source; it can be proposed again by another", 409)
            if not entry.support:
                raise Refused(f"nothing supports {ident} any more; it can be proposed again", 409)
            if share and not self.shares:
                raise Refused("this server shares nothing between organisations (BOX_KNOWLEDGE_SHARED)", 409)
            if share and entry.flags:
                raise Refused(f"{ident} is flagged ({', '.join(entry.flags)}) and cannot be shared with other organisations", 409)
            update = {
                "state": "published",
                "approved_by": by.key_id,
                "published_at": entry.published_at or now(),
                "shared": share,
                "reason": None,
            }
            return _kept(
                writing, entry, entry.model_copy(update=update), Deed("approved", (ident,), by.key_id, why="shared" if share else "")
            )

    def refuse(self, by: Person, ident: str, reason: str) -> Entry:
        """Refuse it, or withdraw it if it is published, as a person. Those who say the same later do not bring it back."""
        said = scrubbed(reason)
        with self.store.changing() as writing:
            entry = _own(writing.shelf(by.scope), ident)
            if entry.state == "revoked":
                raise Refused(f"{ident} was revoked already", 409)
            update = {"state": "refused", "reason": said, "approved_by": None, "shared": False, "published_at": None}
            done = _kept(writing, entry, entry.model_copy(update=update), Deed("refused", (ident,), by.key_id, why=said))
            self._follow(writing, [ident], by, f"{ident} was refused")
            return done

    def revoke(self, by: Person, wanted: Revocation) -> Withdrawn:
        """Trust a source no more. It is remembered first: half a revocation cannot let it support anything anew."""
        tenant, ref = _source(wanted)
        reason = scrubbed(wanted.reason)
        with self.store.changing() as writing:
            shelf = writing.shelf(by.scope)
            revoked = shelf.revoked
            if not shelf.is_revoked(tenant or "", ref):
                if len(revoked) >= MOST_REVOKED:
                    raise Refused(f"{MOST_REVOKED} sources are revoked already; restore some", 409)
                revoked = (*revoked, Revoked(tenant=tenant, ref=ref, reason=reason, by=by.key_id, at=now()))
            bad = Bad(reason, tenants={tenant} if tenant else (), refs={ref} if ref else ())
            changed = bereft(shelf.entries.values(), bad, self._needed)
            fell = withdrawn(shelf.entries, changed)
            ids = tuple(entry.id for entry in changed)
            if changed or revoked != shelf.revoked:
                writing.keep(by.scope, changed, Deed("revoked", ids, by.key_id, tenant or "", reason), revoked)
            own, touched = self._follow(writing, fell, by, reason)
            return Withdrawn(entries=(*fell, *own), touched=len({*ids, *touched}))

    def _follow(self, writing: Writing, fell: Sequence[str], by: Person, reason: str) -> tuple[list[str], list[str]]:
        """What rests on entries that fell, in every scope, until nothing more falls; ids of the own scope's that fell, and that changed."""
        own: list[str] = []
        touched: list[str] = []
        generation = set(fell)
        while generation:
            following: set[str] = set()
            for scope in writing.scopes:
                shelf = writing.shelf(scope)
                by_us = scope == by.scope
                bad = Bad(reason if by_us else "it came from an entry that was withdrawn", refs=generation)
                changed = bereft(shelf.entries.values(), bad, self._needed)
                falls = withdrawn(shelf.entries, changed)
                ids = tuple(entry.id for entry in changed)
                writing.keep(scope, changed, Deed("revoked", ids, by.key_id if by_us else "", why=bad.reason))
                following.update(falls)
                if by_us:
                    own, touched = [*own, *falls], [*touched, *ids]
            generation = following
        return own, touched

    def restore(self, by: Person, wanted: SourceName) -> tuple[Revoked, ...]:
        """Let a source support entries again; those still revoked."""
        tenant, ref = _source(wanted)
        with self.store.changing() as writing:
            shelf = writing.shelf(by.scope)
            left = tuple(source for source in shelf.revoked if (source.tenant, source.ref) != (tenant, ref))
            if len(left) == len(shelf.revoked):
                raise Refused("this source is not revoked; `box-review knowledge revoked` lists those that are", 404)
            writing.keep(by.scope, [], Deed("restored", (), by.key_id, tenant or "", f"ref {ref}" if ref else ""), left)
            return left

    def _settle(self, writing: Writing) -> None:
        """Finish revocations that a crash has cut off: nothing rests on what is revoked, or on an entry that fell."""
        for scope in writing.scopes:
            shelf = writing.shelf(scope)
            tenants = {source.tenant for source in shelf.revoked if source.tenant is not None}
            bad = Bad("its source was revoked", tenants, {source.ref for source in shelf.revoked if source.ref is not None})
            changed = bereft(shelf.entries.values(), bad, self._needed)
            writing.keep(scope, changed, Deed("revoked", tuple(entry.id for entry in changed), why=bad.reason))
        every = (entry for scope in writing.scopes for entry in writing.shelf(scope).entries.values())
        fallen = [entry.id for entry in every if entry.state in ("revoked", "refused")]
        self._follow(writing, fallen, Person("", ""), "")

    def entry(self, by: Person, ident: str) -> Entry:
        """One that the organisation may read."""
        with self.store.reading() as store:
            if found := store.shelf(by.scope).entries.get(ident):
                return found
            for entry in self._common(store, by.scope):
                if entry.id == ident:
                    return entry
        raise NoSuchEntry(ident)

    def entries(self, by: Person, state: State | None, limit: int) -> list[Entry]:
        """Entries by what needs a person first: flagged proposals, then proposals, then the rest; newest first."""
        with self.store.reading() as store:
            found = [*store.shelf(by.scope).entries.values(), *self._common(store, by.scope)]
        wanted = [entry for entry in found if state in (None, entry.state)]
        wanted.sort(key=lambda entry: (entry.state != "proposed", not entry.flags, -entry.created_at.timestamp(), entry.id))
        return wanted[:limit]

    def find(self, by: Person, query: str, state: State | None, limit: int) -> list[Entry]:
        """Entries that fit a question, best first. Those of other organisations stand behind own ones of the same rank."""
        states: tuple[State, ...] = (state,) if state else ("published", "proposed", "refused", "revoked")
        with self.store.reading() as store:
            ranked = [store.shelf(by.scope).find(query, one, limit) for one in states]
            if self.shares and "published" in states:
                ranked += [store.shelf(scope).find(query, "shared", limit) for scope in store.scopes if scope != by.scope]
        return [entry for rank in range(limit) for found in ranked for entry in found[rank : rank + 1]][:limit]

    def revoked(self, by: Person) -> tuple[Revoked, ...]:
        """The sources that an organisation trusts no more."""
        with self.store.reading() as store:
            return store.shelf(by.scope).revoked

    def _common(self, store: Store, scope: str) -> list[Entry]:
        if not self.shares:
            return []
        others = (store.shelf(other) for other in store.scopes if other != scope)
        return [entry for shelf in others for entry in shelf.entries.values() if is_common(entry)]


def person(tenant: str, key_id: str) -> Person:
    """Who asks. Raises Refused for a tenant whose name cannot be a folder's."""
    try:
        return Person(scope_of(tenant), key_id)
    except ValueError as error:
        raise Refused("shared knowledge is not there for this key", 403) from error


def _own(shelf: Shelf, ident: str) -> Entry:
    entry = shelf.entries.get(ident)
    if entry is None:
        raise NoSuchEntry(ident)
    return entry


def _kept(writing: Writing, before: Entry, after: Entry, deed: Deed) -> Entry:
    """Done once: what is as it should be leaves no trace of being asked for again."""
    if (before.state, before.shared, bool(before.approved_by)) == (after.state, after.shared, bool(after.approved_by)):
        return before
    writing.keep(after.scope, [after], deed)
    return after


def _source(wanted: SourceName) -> tuple[str | None, str | None]:
    return (named(wanted.tenant), None) if wanted.tenant is not None else (None, named(wanted.ref or ""))
