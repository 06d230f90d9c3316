"""What a repository's reviewer learns on its way, and what a review is given of it. `lessons` has the rules, `teaching` the commands."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from box_review import EarlierState, Finding, ReviewRecord
from box_review.config import MOST_BYTES
from box_review.errors import ConfigInvalid
from box_review.learned import LearnedRule, in_force, together
from box_review.learned_file import FILE, read_learned
from box_review.report import wording

from bot.github import memory_words
from bot.github.calls import READING
from bot.github.config import read_file
from bot.github.desk import Desk
from bot.github.errors import LASTING
from bot.github.memory_words import Page
from bot.github.observed import MOST_TOLD, Seen, Told, told_of
from bot.github.opinions import opinions
from bot.github.pull import PullRef
from bot.github.rights import RANKS, rank_of
from bot.github.state import PullState

log = structlog.get_logger()


async def file_rules(desk: Desk, pull: PullRef) -> tuple[LearnedRule, ...] | None:
    """The rules in the file on the default branch; None where there is no file.

    What is learned is the repository's: the base of a pull request is its author's choice, and an old branch may mute what is told today.

    Raises:
        ConfigInvalid, GitHubError.
    """
    text = await read_file(await desk.app.of(pull, READING), f"/contents/{FILE}")
    if text is not None and len(text) > MOST_BYTES:
        raise ConfigInvalid(FILE, [(1, f"the file has more than {MOST_BYTES} bytes")])
    return None if text is None else read_learned(text)


async def rules_for_review(desk: Desk, pull: PullRef) -> tuple[LearnedRule, ...]:
    """The rules in force. Raises ConfigInvalid, GitHubError."""
    file, lessons = await file_rules(desk, pull), await desk.learned.of(pull.repo_id)
    return in_force(together(file or (), lessons.rules))


async def look_at_comments(desk: Desk, pull: PullRef, told: Sequence[Told]) -> None:
    """Count what people think by now of the findings that we told of. What GitHub does not show is not counted. Raises Unavailable."""
    if not told:
        return
    try:
        found = await opinions(desk, pull, told)
    except LASTING as error:
        log.warning("what people think of findings could not be read", reason=str(error))
        return
    await desk.learned.change(pull.repo_id, lambda lessons: lessons.read_anew(pull.number, found))


async def dismissed(desk: Desk, state: PullState, author: str, finding: Finding) -> None:
    """Count a finding that somebody ignores, if he has write access. Raises GitHubError."""
    told = told_of(finding)
    if told is None or await rank_of(await desk.app.of(state.pull, READING), author) < RANKS["write"]:
        return
    one = Seen(pull=state.pull.number, fingerprint=told.fingerprint, by=author, how="ignored")
    await desk.learned.change(state.pull.repo_id, lambda lessons: lessons.seen(told.about, [one]))


async def published(desk: Desk, state: PullState, record: ReviewRecord) -> PullState:
    """The state that knows what a review tells. What it shows of older findings is counted, and which rules it used. Raises Unavailable."""
    known = {one.fingerprint: one for one in state.told}
    gone = [item.fingerprint for item in record.earlier if item.state is EarlierState.FIXED]
    fixed = [known[fingerprint] for fingerprint in gone if fingerprint in known]
    present = {finding.fingerprint for finding in record.findings}
    await desk.learned.change(
        state.pull.repo_id,
        lambda lessons: lessons.reviewed(state.pull.number, fixed, present).with_uses(record.review_id, record.learned),
    )
    new = {one.finding: one for finding in wording.shown(record) if (one := told_of(finding))}
    old = [one for one in state.told if one.finding not in new]
    return state.model_copy(update={"told": (*old, *new.values())[-MOST_TOLD:]})


async def offer(desk: Desk, pull: PullRef, review_id: str) -> str:
    """A sentence on rules that have lasted, with the way to make them permanent; empty where it was said before. Raises GitHubError."""
    lessons = await desk.learned.of(pull.repo_id)
    if not lessons.stable(review_id):
        return ""
    try:
        page = await page_of_file(desk, pull)
    except ConfigInvalid as error:
        log.warning("no rule can be proposed for a file that cannot be used", reason=str(error))
        return ""
    in_file = {rule.id for rule in page.rules}
    lasting = [rule for rule in lessons.stable(review_id) if rule.id not in in_file]
    lessons = await desk.learned.change(pull.repo_id, lambda now: now.with_offers(review_id, lasting))
    ours = [rule for rule in lasting if lessons.offered.get(rule.id) == review_id]
    return memory_words.offer(ours, page) if ours else ""


async def page_of_file(desk: Desk, pull: PullRef) -> Page:
    """Where the file is, or would be, written. Raises ConfigInvalid, GitHubError."""
    rules = await file_rules(desk, pull)
    about = await (await desk.app.of(pull, READING)).get(f"/pulls/{pull.number}")
    base = about["base"]
    branch = str((base.get("repo") or {}).get("default_branch") or base["ref"])
    return Page(f"{desk.settings.github_url}/{pull.full_name}", branch, rules or (), exists=rules is not None)
