"""`/box learn` and `/box memory`: what people who may teach say, kept and shown. Each returns the answer, as Markdown."""

from __future__ import annotations

from box_review.errors import ConfigInvalid
from box_review.learned import MOST_RULES, MOST_SOURCE, MOST_TEXT, LearnedRule, RuleState
from box_review.learned_file import FILE
from box_review.sanitize import inline_code, visible
from box_review.scrub import scrub

from bot.github import commands, memory_words
from bot.github.decide import Said
from bot.github.desk import Desk
from bot.github.learning import file_rules, look_at_comments, page_of_file
from bot.github.lessons import NoRoom, named, today
from bot.github.state import PullState

FULL = f"{MOST_RULES} rules are in force, which is all that there is room for. `/box memory forget ID` ends one."


async def learn(desk: Desk, state: PullState, said: Said, command: commands.Learn) -> str:
    """Keep a rule; safe to do twice. Raises GitHubError."""
    scrubbed = scrub(" ".join(visible(command.text).split()))
    text = scrubbed.text[:MOST_TEXT].strip() or f"muted by {said.author}"
    if command.mute is None and not scrubbed.text.strip():
        return "Nothing is left of it to learn: what it says is not to be seen."
    rule = LearnedRule(
        id=named(text, command.mute, said.comment_id),
        text=text,
        mute=command.mute,
        source=f"/box learn by {_who(desk, state, said)}"[:MOST_SOURCE],
        since=today(),
    )
    try:
        lessons = await desk.learned.change(state.pull.repo_id, lambda now: now.taught(rule))
    except NoRoom:
        return FULL
    kept = next((one for one in lessons.rules if one.id == rule.id), None) or lessons.same(rule) or rule
    if kept.id != rule.id:
        return f"That is known already, as `{kept.id}`."
    return memory_words.taught(kept, scrubbed.found)


async def memory(desk: Desk, state: PullState, said: Said, command: commands.Memory) -> str:
    """Show what is learned, or change one rule; safe to do twice. Raises GitHubError."""
    await look_at_comments(desk, state.pull, state.told)
    if not command.change:
        try:
            page = await page_of_file(desk, state.pull)
        except ConfigInvalid as error:
            return memory_words.memory(await desk.learned.of(state.pull.repo_id), error)
        return memory_words.memory(await desk.learned.of(state.pull.repo_id), page)
    try:
        if any(rule.id == command.rule for rule in await file_rules(desk, state.pull) or ()):
            return f"`{command.rule}` stands in {inline_code(FILE)}: change it there; `state: closed` ends it."
    except ConfigInvalid:
        pass  # what cannot be read stands in nobody's way
    by = _who(desk, state, said)
    before = (await desk.learned.of(state.pull.repo_id)).find(command.rule)
    if before is None:
        return f"There is no rule `{command.rule}`; `/box memory` shows those that there are."
    return await _accept(desk, state, before, by) if command.change == "accept" else await _forget(desk, state, before, by)


async def _accept(desk: Desk, state: PullState, rule: LearnedRule, by: str) -> str:
    if rule.state is RuleState.CLOSED:
        return f"`{rule.id}` is closed. `/box learn` teaches it anew."
    try:
        lessons = await desk.learned.change(state.pull.repo_id, lambda now: now.accepted(rule.id, by))
    except NoRoom:
        return FULL
    return memory_words.taught(lessons.find(rule.id) or rule, ())


async def _forget(desk: Desk, state: PullState, rule: LearnedRule, by: str) -> str:
    await desk.learned.change(state.pull.repo_id, lambda now: now.forgotten(rule.id, f"by {by}"))
    return f"`{rule.id}` is closed: it counts no more, and is not proposed again. `/box memory` still shows it."


def _who(desk: Desk, state: PullState, said: Said) -> str:
    """Who says something, and where."""
    pull = state.pull
    anchor = "discussion_r" if said.on_line else "issuecomment-"
    place = f"{desk.settings.github_url}/{pull.full_name}/pull/{pull.number}#{anchor}{said.comment_id}"
    return f"@{said.author} on #{pull.number}, {place}"
