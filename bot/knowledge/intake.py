"""How a proposal becomes an entry, or the support of one: what is kept of it, and what it may not rest on or exceed."""

from __future__ import annotations

import secrets
import unicodedata
from datetime import UTC, datetime

from box_review.knowledge import MAX_TEXT, Entry, Proposal, Support

from bot.errors import Refused
from bot.knowledge.screening import Screened, named, screened
from bot.knowledge.shelf import Shelf
from bot.knowledge.store import Writing

MOST_OPEN_OF_TENANT = 200
MOST_OPEN = 5_000
MOST_ENTRIES = 50_000
MOST_SUPPORT = 1_000
MOST_REFS = 100
_FINE_IN_A_TOPIC = ("not in English", "speaks of reviews", "addresses an agent")


def now() -> datetime:
    """The time, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def supported_by(tenant: str, proposal: Proposal) -> Support:
    """A proposal as support of an entry. Nothing was seen later than now."""
    at = now()
    seen = [min(source.at.astimezone(UTC).replace(microsecond=0), at) for source in proposal.observed]
    refs = tuple(dict.fromkeys(named(source.ref) for source in proposal.observed))
    return Support(tenant=tenant, at=at, refs=refs, seen_at=max(seen, default=None))


def joined(before: Support | None, now: Support) -> Support:
    """A tenant counts once, however often it says so. What it names is added up to a bound; then its support rests on the first."""
    if before is None:
        return now
    refs = tuple(dict.fromkeys((*before.refs, *now.refs)))[:MOST_REFS]
    seen = [at for at in (before.seen_at, now.seen_at) if at is not None]
    return before.model_copy(update={"refs": refs, "seen_at": max(seen, default=None)})


def says_nothing_new(known: Entry, support: Support) -> bool:
    """True if a tenant has said this already, and names no other source for it."""
    return known.state != "revoked" and any(joined(other, support) == other for other in known.support if other.tenant == support.tenant)


def check_sources(writing: Writing, shelf: Shelf, support: Support) -> None:
    """Raises Refused (409) for what comes from a source that is revoked, or from an entry that was withdrawn."""
    if shelf.is_revoked(support.tenant):
        raise Refused("this tenant is revoked as a source; what it proposes is not taken until it is restored", 409)
    for ref in support.refs:
        if shelf.is_revoked("", ref):
            raise Refused("a source that the proposal names is revoked; it can support nothing until it is restored", 409)
        entries = (writing.shelf(scope).entries.get(ref) for scope in writing.scopes)
        if any(entry is not None and entry.state in ("refused", "revoked") for entry in entries):
            raise Refused("an entry that the proposal names as its source was withdrawn", 409)


def check_room(shelf: Shelf, tenant: str, known: Entry | None) -> None:
    """Raises Refused (409) where no more is kept."""
    if known is not None and len(known.support) >= MOST_SUPPORT:
        raise Refused(f"{known.id} is supported by {MOST_SUPPORT} tenants already; more are not kept", 409)
    if known is not None and any(support.tenant == tenant for support in known.support):
        return
    if shelf.open_of(tenant) >= MOST_OPEN_OF_TENANT:
        raise Refused(f"this tenant has {MOST_OPEN_OF_TENANT} open proposals; decide on some with `box-review knowledge review`", 409)
    if known is None and shelf.open >= MOST_OPEN:
        raise Refused(f"{MOST_OPEN} proposals are open; decide on some with `box-review knowledge review`", 409)
    if known is None and len(shelf.entries) >= MOST_ENTRIES:
        raise Refused(f"there are {MOST_ENTRIES} entries; no more are kept", 409)


def screened_proposal(proposal: Proposal, names: tuple[str, ...]) -> Screened:
    """Text and topic, whose flags count alike. Raises Refused for what is no statement any more."""
    if len(unicodedata.normalize("NFKC", proposal.text)) > MAX_TEXT:
        raise Refused(f"the proposal's text has more than {MAX_TEXT} characters once its compound signs are written out")
    found, topic = screened(proposal.text, names), screened(proposal.topic, names)
    if not found.text:
        raise Refused("the proposal's text holds nothing that may be kept")
    flags = (f"topic: {flag}" for flag in topic.flags if flag not in _FINE_IN_A_TOPIC)
    return Screened(found.text, (*found.flags, *flags))


def begun(scope: str, text: str, topic: str) -> Entry:
    """A new entry, which nothing supports yet."""
    return Entry(id=f"kn-{secrets.token_hex(8)}", text=text, topic=topic, state="proposed", scope=scope, created_at=now())
