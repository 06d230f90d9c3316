"""What a repository's reviewer was taught, and what people did with its findings: rules without I/O.

Nothing that was counted mutes by itself: it makes a candidate, and a maintainer makes that a rule.
All changes come to the same when they are made twice.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, date, datetime
from typing import TypeVar

from box_review.finding import ContractModel
from box_review.learned import MOST_RULES, MOST_SOURCE, LearnedRule, LearnedUse, Mute, RuleState
from pydantic import Field

from bot.github.observed import IN_COMMENTS, Seen, Tally, Told

_V = TypeVar("_V")
STABLE = 3
"""Used in so many reviews, a rule could be made permanent."""
MOST_CLOSED, MOST_TALLIES, MOST_SEEN = 50, 100, 30


class NoRoom(Exception):  # named for what is missing
    """There are as many rules as there may be."""


class Lessons(ContractModel):
    """All of one repository that is remembered beside its file.

    Args:
        used: the first reviews in which a rule muted something, or was told to agents, by rule; `STABLE` at most.
        offered: the review in which it was said that a rule could be made permanent, by rule.
    """

    rules: tuple[LearnedRule, ...] = ()
    tallies: tuple[Tally, ...] = ()
    used: dict[str, tuple[str, ...]] = Field(default={})
    offered: dict[str, str] = Field(default={})

    def find(self, ident: str) -> LearnedRule | None:
        """A rule, or a candidate, by its id."""
        return next((rule for rule in (*self.rules, *self.candidates()) if rule.id == ident), None)

    def taught(self, rule: LearnedRule) -> Lessons:
        """With one rule more. What it contradicts, another of the same mute, is closed by it.

        Raises:
            NoRoom: `MOST_RULES` are in force.
        """
        if any(known.id == rule.id for known in self.rules) or self.same(rule) is not None:
            return self
        others = tuple(_ended(old, f"replaced by {rule.id}") if _contradicts(rule, old) else old for old in self.rules)
        if sum(old.state is RuleState.ACTIVE for old in others) >= MOST_RULES:
            raise NoRoom
        return self._with_rules((*others, rule))

    def same(self, rule: LearnedRule) -> LearnedRule | None:
        """The rule in force that says just this."""
        active = (known for known in self.rules if known.state is RuleState.ACTIVE and known.mute == rule.mute)
        return next((known for known in active if known.text.casefold() == rule.text.casefold()), None)

    def accepted(self, ident: str, by: str) -> Lessons:
        """With a candidate as a rule in force. Raises NoRoom."""
        rule = next((one for one in self.candidates() if one.id == ident), None)
        if rule is None:
            return self
        source = f"{rule.source}; accepted by {by}"[:MOST_SOURCE]
        return self.taught(rule.model_copy(update={"state": RuleState.ACTIVE, "source": source, "since": today()}))

    def forgotten(self, ident: str, by: str) -> Lessons:
        """With a rule or candidate closed: it counts no more, is not proposed again, and can be read still."""
        rule = self.find(ident)
        if rule is None or rule.state is RuleState.CLOSED:
            return self
        return self._with_rules((*(one for one in self.rules if one.id != ident), _ended(rule, by)))

    def candidates(self) -> list[LearnedRule]:
        """What was dismissed often enough, and no maintainer has decided about."""
        decided = [rule.mute for rule in self.rules if rule.mute is not None]
        return [_candidate(tally) for tally in self.tallies if tally.enough and tally.about not in decided]

    def seen(self, about: Mute, new: Iterable[Seen]) -> Lessons:
        """With what was done with findings of one kind; the oldest goes where there is no room."""
        old = next((tally for tally in self.tallies if tally.about == about), Tally(about=about))
        kept = tuple(dict.fromkeys((*old.seen, *new)))[-MOST_SEEN:]
        if kept == old.seen:
            return self
        others = [tally for tally in self.tallies if tally.about != about][-(MOST_TALLIES - 1) :]
        return self.model_copy(update={"tallies": (*others, Tally(about=about, seen=kept))})

    def read_anew(self, pull: int, opinions: Sequence[tuple[Mute, Seen]]) -> Lessons:
        """With what stands in a pull request's comments now, in place of what stood there."""
        lessons = self._without(lambda one: one.pull == pull and one.how in IN_COMMENTS, keep=[one for _, one in opinions])
        for about, one in opinions:
            lessons = lessons.seen(about, [one])
        return lessons

    def reviewed(self, pull: int, fixed: Sequence[Told], present: Collection[str]) -> Lessons:
        """With what a new head shows: what it fixed was accepted; what stands there again was not, whatever an older head said."""
        lessons = self._without(lambda one: one.pull == pull and one.how == "fixed" and one.fingerprint in present)
        for told in fixed:
            lessons = lessons.seen(told.about, [Seen(pull=pull, fingerprint=told.fingerprint, how="fixed", accepted=True)])
        return lessons

    def with_uses(self, review_id: str, uses: Iterable[LearnedUse]) -> Lessons:
        """With the rules that a review used."""
        known = {rule.id for rule in self.rules}
        idents = [use.id for use in uses if use.id in known and (use.muted or use.guidance)]
        new = {ident: tuple(dict.fromkeys((*self.used.get(ident, ()), review_id)))[:STABLE] for ident in idents}
        return self.model_copy(update={"used": {**self.used, **new}})

    def stable(self, review_id: str) -> list[LearnedRule]:
        """Rules that could be made permanent, and of which no other review has said so."""
        lasting = [rule for rule in self.rules if rule.state is RuleState.ACTIVE and len(self.used.get(rule.id, ())) >= STABLE]
        return [rule for rule in lasting if not self.disputed(rule) and self.offered.get(rule.id, review_id) == review_id]

    def disputed(self, rule: LearnedRule) -> set[int]:
        """Pull requests on which what a rule mutes was accepted."""
        return set().union(*(tally.accepted for tally in self.tallies if tally.about == rule.mute))

    def with_offers(self, review_id: str, rules: Iterable[LearnedRule]) -> Lessons:
        """Remembering that a review says that these could be made permanent; another one that has said so first stays."""
        return self.model_copy(update={"offered": {**{rule.id: review_id for rule in rules}, **self.offered}})

    def _without(self, gone: Callable[[Seen], bool], keep: Collection[Seen] = ()) -> Lessons:
        """Without some of what was seen, as long as it is not to be kept."""
        left = [
            tally.model_copy(update={"seen": tuple(one for one in tally.seen if one in keep or not gone(one))}) for tally in self.tallies
        ]
        return self.model_copy(update={"tallies": tuple(tally for tally in left if tally.seen)})

    def _with_rules(self, rules: Sequence[LearnedRule]) -> Lessons:
        """With these rules, and the newest of those that are closed."""
        closed = [rule.id for rule in rules if rule.state is RuleState.CLOSED]
        old = set(closed[:-MOST_CLOSED])
        kept = tuple(rule for rule in rules if rule.id not in old)
        known = {rule.id for rule in kept}
        update = {"rules": kept, "used": _only(self.used, known), "offered": _only(self.offered, known)}
        return self.model_copy(update=update)


def today() -> date:
    """Of UTC."""
    return datetime.now(UTC).date()


def named(*parts: object) -> str:
    """An id that follows from what a rule says and where; six letters, which are no short name of a commit."""
    digest = hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "replace")).digest()
    return f"l-{base64.b32encode(digest).decode().lower()[:6]}"


def _candidate(tally: Tally) -> LearnedRule:
    pulls = ", ".join(f"#{pull}" for pull in tally.pulls)
    return LearnedRule(
        id=named("candidate", tally.about.model_dump_json()),
        text=f"dismissed {len(tally.dismissals)} times, never accepted",
        mute=tally.about,
        source=f"{len(tally.dismissals)} dismissals: {pulls}"[:MOST_SOURCE],
        state=RuleState.CANDIDATE,
    )


def _contradicts(new: LearnedRule, old: LearnedRule) -> bool:
    return new.mute is not None and old.mute == new.mute and old.state is RuleState.ACTIVE


def _ended(rule: LearnedRule, by: str) -> LearnedRule:
    return rule.model_copy(update={"state": RuleState.CLOSED, "closed": by[:MOST_SOURCE]})


def _only(kept: dict[str, _V], known: Collection[str]) -> dict[str, _V]:
    return {ident: value for ident, value in kept.items() if ident in known}
