"""What we say at GitHub around a review: states, answers, the check's title. Findings are worded by `box_review.report`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from box_review import Earlier, EarlierState, Finding, ReviewRecord
from box_review.errors import ConfigInvalid
from box_review.report import markdown, side_by_side, wording
from box_review.review import DEFAULT_ROLES
from box_review.sanitize import for_markdown, inline_code
from box_review.side_by_side import Side

from bot.github import marks
from bot.github.commands import HELP
from bot.github.state import Comparison, PullState, Round

_GO_ON = "`/box ask …` asks the reviewers, whose boxes are kept · `/box review` reviews again · `/box help`"
EARLIER, NOTES = 5000, 2000
ROOM = markdown.COMMENT_LIMIT - EARLIER - NOTES - 1500
"""Characters for the review itself in a comment; the rest is for what stands around it."""


def reviewing(round_: Round, roles: Sequence[str], link: str) -> str:
    """The comment while a review is under way."""
    who = f" for {', '.join(roles)}" if roles else ""
    watch = f" · [watch it]({link})" if link else ""
    said = f"Each reviewer{who} works in a box of its own; a jury checks what they find.{watch}"
    return f"{marks.STICKY}\n### ⏳ Reviewing {inline_code(round_.head_sha[:10])}\n\n{said}"


def ended(round_: Round) -> str:
    """The comment where there is no verdict."""
    head = f"### {_SIGNS[round_.conclusion or 'neutral']} {inline_code(round_.head_sha[:10])} was not reviewed"
    return f"{marks.STICKY}\n{head}\n\n{round_.ended}\n\n<sub>{_GO_ON}</sub>"


_SIGNS = {"cancelled": "⊘", "neutral": "○", "action_required": "!"}


def verdict(record: ReviewRecord, notes: Sequence[str], link: str) -> str:
    """The comment with the whole review."""
    parts = [marks.STICKY, markdown.render(record, ROOM).strip(), *_earlier(record), "\n\n".join(notes)[:NOTES]]
    more = f"[The review with its boxes]({link}) · " if link else ""
    last = f"<sub>{more}{_GO_ON} · {inline_code(record.review_id)}</sub>"
    return "\n\n".join(part for part in [*parts, last] if part)


def review_body(record: ReviewRecord, shown: int) -> str:
    """What stands above the comments at lines; the whole is in the sticky comment."""
    counted = f"{wording.counts(record)}; {shown} at their lines" if shown else wording.counts(record)
    return f"{marks.review(record.review_id)}\n**box-review**: {counted}. The whole review is in its comment on this pull request."


def at_line(finding: Finding, *, exact: bool) -> str:
    """A comment at a finding's line."""
    foot = f"<sub>{finding.id} · `/box ask …` here asks about it · `/box ignore {finding.id}`</sub>"
    return f"{marks.finding(finding.id)}\n{markdown.one_finding(finding, suggest=exact)}\n\n{foot}"


def fixed(finding_id: str, head_sha: str, how: str) -> str:
    """The answer in the thread of a finding that is gone."""
    return f"{marks.fixed(finding_id)}\nFixed in {head_sha}: {how}."


def check_title(record: ReviewRecord) -> str:
    """The check's one line: `3 findings: 1 critical, 2 low · failure`."""
    count = len(record.findings)
    found = f"{wording.plural(count, 'finding')}: {wording.counts(record)}" if count else "No findings"
    return f"{found} · {wording.verdict(record)}"[:250]


def broken_config(error: ConfigInvalid) -> str:
    """What is wrong with a repository's settings."""
    listed = "\n".join(f"- line {line}: {for_markdown(said)}" for line, said in error.problems[:20])
    more = f"\n- and {len(error.problems) - 20} more" if len(error.problems) > 20 else ""
    name = inline_code(str(error).partition(":")[0])
    return f"The settings in {name} cannot be used:\n\n{listed}{more}\n\n`box-review config validate` checks the file."


def status(state: PullState) -> str:
    """How far a pull request's review is."""
    current, also = state.current, f" {under_way(state.comparison)}" if state.comparison else ""
    if current is None:
        return f"Nothing was reviewed yet. `/box review` begins.{also}"
    head = inline_code(current.head_sha[:10])
    if current.ended:
        return f"{head} was not reviewed: {current.ended}{also}"
    said = {
        "preparing": "is being fetched",
        "reviewing": "is being reviewed",
        "over": "is reviewed",
    }
    return f"{head} {said[current.stage]} ({inline_code(current.review_id)}).{also}"


def resume(review_id: str, roles: Sequence[str], url: str, link: str) -> str:
    """How to get into the boxes of a review."""
    lines = [f"export BOX_REVIEW_URL={url or 'https://your.server'} BOX_REVIEW_API_KEY=…"]
    lines += [f"box-review resume {review_id} {role}" for role in roles]
    shown = "\n".join(["```sh", *lines, "```"])
    browser = f"\n\nOr [in the browser]({link})." if link else ""
    return f"The reviewers' boxes are kept as they were left, and wake when somebody comes:\n\n{shown}{browser}"


def help_text(problem: str = "") -> str:
    """What can be said to us."""
    return f"{problem[:1].upper()}{problem[1:]}.\n\n{HELP}" if problem else HELP


def under_way(comparison: Comparison) -> str:
    """That models are being compared."""
    names = ", ".join(inline_code(model) for model in comparison.models)
    return f"A comparison of {names} on {inline_code(comparison.shadows[0].head_sha[:10])} is under way."


def comparing(comparison: Comparison, link: Callable[[str], str]) -> str:
    """The answer to who asked for a comparison."""
    first, count = comparison.shadows[0], len(comparison.shadows)
    roles = ", ".join(first.wish.roles or first.config.roles or DEFAULT_ROLES)
    usd = first.config.budget_usd
    said = [
        f"{count} reviews of {inline_code(first.head_sha[:10])} run in the shadow, one for each model, as {roles}.",
        "As many run at a time as the hosts have room for.",
        f"Each may cost {wording.dollars(usd)} at most, as the settings have it." if usd else "No budget is set for them (`budget_usd`).",
        "Nothing of them is published but one comment that compares them, when the last has ended. `/box cancel` stops them.",
    ]
    watch = " · ".join(_links(comparison, link))
    return " ".join(said) + (f"\n\nWatch them: {watch}" if watch else "")


def compared(comparison: Comparison, sides: Sequence[Side], link: Callable[[str], str]) -> str:
    """The comment that compares models."""
    said, head_sha = comparison.said, comparison.shadows[0].head_sha
    head = f"### {len(sides)} models on {inline_code(head_sha[:10])}, side by side"
    last = " · ".join([f"@{said.author} asked for it", *_links(comparison, link), "nothing else of these reviews is published"])
    return f"{marks.comparison(said.comment_id)}\n{head}\n\n{side_by_side.render(sides)}\n\n<sub>{last}</sub>"


def _links(comparison: Comparison, link: Callable[[str], str]) -> list[str]:
    """The reviews, where they can be looked at."""
    places = [(shadow.wish.model, link(shadow.review_id)) for shadow in comparison.shadows]
    return [f"[{inline_code(model)}]({place})" for model, place in places if place]


_STATES = {EarlierState.FIXED: "fixed", EarlierState.STILL_THERE: "still there", EarlierState.UNKNOWN: "not found again, not proven fixed"}


def _earlier(record: ReviewRecord) -> list[str]:
    """What became of what an earlier review found, in the room there is; how many of each is always said."""
    lines, room = list[str](), EARLIER
    for state, name in _STATES.items():
        found = [item for item in record.earlier if item.state is state]
        told = [line for line in map(_told, found) if (room := room - len(line)) > 0]
        more = [f"  - and {len(found) - len(told)} more"] if len(told) < len(found) else []
        lines += [f"- **{name}**: {len(found)}", *told, *more] if found else []
    listed = "\n".join(lines)
    return [f"<details open><summary>Since the last review</summary>\n\n{listed}\n\n</details>"] if lines else []


def _told(item: Earlier) -> str:
    return f"  - {inline_code(f'{item.path[:300]}:{item.start_line}')} {for_markdown(item.title)} ({item.id}): {for_markdown(item.how)}"
