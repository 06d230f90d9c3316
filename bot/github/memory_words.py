"""What we say of what is learned: `/box memory`, answers to those who teach, and how a rule becomes permanent.

A maintainer writes the file himself, on a page of GitHub's that is filled in for him: the App needs no right to write code for that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

from box_review.errors import ConfigInvalid
from box_review.learned import LearnedRule, RuleState
from box_review.learned_file import FILE, render_learned
from box_review.report import wording
from box_review.sanitize import code_block, for_markdown, inline_code

from bot.github.lessons import STABLE, Lessons
from bot.github.observed import DISMISSALS, PULLS, Tally

MOST_URL, MOST_OFFERED = 6000, 1200
"""Characters of an address: GitHub and browsers take some 8,000."""
MOST_LISTED, MOST_FILE = 6000, 30_000
"""Characters for each of the lists, and for the file."""
LOCATION = inline_code(FILE)


@dataclass(frozen=True)
class Page:
    """The file with rules, and GitHub's pages for it. `repository` is the address of the repository."""

    repository: str
    branch: str
    rules: tuple[LearnedRule, ...]
    exists: bool

    def with_rules(self, more: Iterable[LearnedRule]) -> str:
        """The file with some rules more, as many as there is room for."""
        kept, known = list(self.rules), {rule.id for rule in self.rules}
        for rule in more:
            if rule.id not in known and len(render_learned([*kept, rule])) <= MOST_FILE:
                kept.append(rule)
        return render_learned(kept)

    def link(self, content: str, most: int = MOST_URL) -> str:
        """Where somebody proposes the file: a page that is filled in, where there is no file yet and `most` characters are enough."""
        branch = quote(self.branch, safe="")
        if self.exists:
            return f"{self.repository}/edit/{branch}/{FILE}"
        empty = f"{self.repository}/new/{branch}?filename={quote(FILE, safe='')}"
        full = f"{empty}&value={quote_plus(content)}"
        return full if len(full) <= most else empty

    def proposal(self, rules: Sequence[LearnedRule]) -> str:
        """How these rules become permanent, with the file."""
        content = self.with_rules(rules)
        shown = f"<details><summary>The file</summary>\n\n{code_block(content.splitlines(), 'yaml')}\n\n</details>"
        return f"{_how(self.link(content))}, and GitHub makes a pull request or a commit of it.\n\n{shown}"


def _how(link: str) -> str:
    return f"[propose this file]({link})" if "&value=" in link else f"paste the file [here]({link})"


def offer(rules: Sequence[LearnedRule], page: Page) -> str:
    """The note below a review about rules that have lasted, shorter than `words.NOTES`."""
    named = ", ".join(f"{rule.id} ({for_markdown(rule.text[:80])})" for rule in rules[:3])
    have = "has" if len(rules) == 1 else "have"
    how = _how(page.link(page.with_rules(rules), MOST_OFFERED))
    begin = f"What was learned {have} lasted, and can be made permanent in {LOCATION}: {named}"
    return f"{begin}. {how[:1].upper()}{how[1:]}; `/box memory` shows it."


def taught(rule: LearnedRule, left_out: Sequence[str]) -> str:
    """The answer to who taught a rule."""
    if rule.mute is None:
        what = "reviewers of this repository are told it, as something that was said"
    else:
        what = f"findings of {for_markdown(rule.mute.what)} are not told, unless they are proven, critical or a secret"
    taken = f" Left out of its words: {', '.join(left_out)}." if left_out else ""
    return (
        f"Learned as `{rule.id}`: from the next review on, {what}.{taken} `/box memory` shows it, `/box memory forget {rule.id}` ends it."
    )


def memory(lessons: Lessons, page: Page | ConfigInvalid) -> str:
    """The answer to `/box memory`."""
    file = page.rules if isinstance(page, Page) else ()
    known = {rule.id for rule in file}
    remembered = [rule for rule in lessons.rules if rule.id not in known]
    active = [rule for rule in remembered if rule.state is RuleState.ACTIVE]
    decided = {rule.mute.model_dump_json() for rule in (*file, *active) if rule.mute}
    candidates = [rule for rule in lessons.candidates() if rule.mute and rule.mute.model_dump_json() not in decided]
    closed = [rule for rule in (*file, *remembered) if rule.state is RuleState.CLOSED]
    waiting = [tally for tally in lessons.tallies if not any(tally.about == rule.mute for rule in (*candidates, *lessons.rules))]
    parts = [
        "### What is learned of this repository",
        _of_file(page),
        _part(f"In {LOCATION}", [_rule(rule) for rule in file if rule.state is RuleState.ACTIVE]),
        _part("Remembered by this server", [_rule(rule) + _history(lessons, rule) for rule in active]),
        _part("Candidates: `/box memory accept ID` makes one a rule, `forget` ends it", [_candidate(lessons, rule) for rule in candidates]),
        _part(
            f"Counted, not enough (it takes {DISMISSALS} dismissals on {PULLS} pull requests, and nothing accepted)", map(_tally, waiting)
        ),
        _part("Closed", [f"{_rule(rule)}; closed: {for_markdown(rule.closed or 'in the file')}" for rule in closed]),
    ]
    if not (file or lessons.rules or lessons.tallies):
        parts.append("Nothing yet. `/box learn TEXT` tells reviewers something; `/box learn mute TOOL/RULE` ends noise.")
    if active and isinstance(page, Page):
        parts.append(f"**To make what is remembered permanent:** {page.proposal(active)}")
    return "\n\n".join(part for part in parts if part)


def _of_file(page: Page | ConfigInvalid) -> str:
    if isinstance(page, Page):
        return ""
    listed = "\n".join(f"- line {line}: {for_markdown(said)}" for line, said in page.problems[:20])
    return f"{LOCATION} cannot be used, and no review begins until it can:\n\n{listed}"


def _part(title: str, lines: Iterable[str]) -> str:
    """A list under its title, as long as there is room; how many are left out is said."""
    room, told, more = MOST_LISTED, list[str](), 0
    for line in lines:
        room -= len(line) + 3
        told, more = ([*told, f"- {line}"], more) if room >= 0 else (told, more + 1)
    rest = [f"- and {more} more"] if more else []
    return "\n".join([f"**{title}**", "", *told, *rest]) if told else ""


def _rule(rule: LearnedRule) -> str:
    what = f"mutes {for_markdown(rule.mute.what)}: " if rule.mute else ""
    since = f", since {rule.since}" if rule.since else ""
    return f"`{rule.id}` {what}{for_markdown(rule.text)} ({for_markdown(rule.source)}{since})"


def _history(lessons: Lessons, rule: LearnedRule) -> str:
    """How often it was used, and what speaks against it."""
    used, against = len(lessons.used.get(rule.id, ())), lessons.disputed(rule)
    times = f"; used in {wording.plural(used, 'review')}{' or more' if used >= STABLE else ''}" if used else "; not used yet"
    return times + (f"; yet accepted on {_numbers(against)}" if against else "")


def _candidate(lessons: Lessons, rule: LearnedRule) -> str:
    people = sorted({one.by for tally in lessons.tallies if tally.about == rule.mute for one in tally.seen if one.by})
    what = for_markdown(rule.mute.what) if rule.mute else ""
    return f"`{rule.id}` would mute {what}: {for_markdown(rule.source)}, by {for_markdown(', '.join(people))}"


def _tally(tally: Tally) -> str:
    accepted = f", accepted on {_numbers(tally.accepted)}" if tally.accepted else ""
    dismissed = wording.plural(len(tally.dismissals), "dismissal") + (f" on {_numbers(tally.pulls)}" if tally.pulls else "")
    return f"{for_markdown(tally.about.what)}: {dismissed}{accepted}"


def _numbers(pulls: Iterable[int]) -> str:
    return ", ".join(f"#{pull}" for pull in sorted(pulls))
