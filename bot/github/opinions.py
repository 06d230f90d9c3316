"""What people think of our findings, as the comments of a pull request have it: reactions to them, and replies in clear words.

GitHub tells of no reaction by itself, so all of it is read when the pull request is worked on, or closed. People with write access count,
nobody else: not its author alone, and not whoever passes by.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from box_review.learned import Mute

from bot.github import marks
from bot.github.calls import READING
from bot.github.desk import Desk
from bot.github.observed import Seen, Told
from bot.github.pull import PullRef
from bot.github.rights import Writers

MOST_ASKED, MOST_PEOPLE = 30, 30
"""Comments whose reactions are read, and people who are looked up, each time."""
_NOT = (
    r"won'?t[ -]?fix|will not (?:be )?fix(?:ed)?|(?:works|working) as (?:intended|designed)|as (?:intended|designed)|by design|intentional"
)
_FALSE = r"false[ -](?:positive|alarm)|not (?:a|an) (?:problem|issue|bug|concern|vulnerability)|not (?:relevant|applicable) here"
_DISMISSING = re.compile(
    rf"\W*(?:(?:this|that|it)(?:'s| is)\s+)?(?:an?\s+)?(?:{_NOT}|{_FALSE})\b(?!\W*\?)(?!.*\b(?:any ?more|fixed)\b)", re.IGNORECASE
)


def dismisses(body: str) -> bool:
    """True for a reply whose first line begins with clear words that there is nothing to do."""
    first = body.strip().partition("\n")[0].replace("\u2019", "'")[:500]
    return _DISMISSING.match(first) is not None


async def opinions(desk: Desk, pull: PullRef, told: Sequence[Told]) -> list[tuple[Mute, Seen]]:
    """What people with write access think of findings, each with what would mute it. Raises GitHubError."""
    if not told:
        return []
    calls = await desk.app.of(pull, READING)
    writers, comments = Writers(calls), await calls.all(f"/pulls/{pull.number}/comments")
    ours = f"{await desk.app.slug()}[bot]"
    about = {comment["id"]: found for comment in comments if _login(comment) == ours and (found := _told(comment, told))}
    given = [(about[ident], who, "reply", False) for ident, who in _replies(comments) if ident in about]
    marked = [comment for comment in comments if comment["id"] in about and _thumbs(comment)]
    for comment in marked[-MOST_ASKED:]:
        reactions = await calls.all(f"/pulls/comments/{comment['id']}/reactions")
        given += [(about[comment["id"]], who, "reaction", up) for who, up in _votes(reactions).items()]
    return [
        (one.about, Seen(pull=pull.number, fingerprint=one.fingerprint, by=who, how="reply" if how == "reply" else "reaction", accepted=up))
        for one, who, how, up in given
        if await writers.has(who, MOST_PEOPLE)
    ]


def _told(comment: Mapping[str, Any], told: Sequence[Told]) -> Told | None:
    """The finding that a comment of ours is about."""
    body = str(comment.get("body") or "")
    return next((one for one in told if body.startswith(marks.finding(one.finding))), None)


def _replies(comments: Sequence[Mapping[str, Any]]) -> list[tuple[int, str]]:
    """Which comment somebody dismisses, and who."""
    answers = [comment for comment in comments if comment.get("in_reply_to_id") and _person(comment)]
    return [(int(one["in_reply_to_id"]), _login(one)) for one in answers if dismisses(str(one.get("body") or ""))]


def _thumbs(comment: Mapping[str, Any]) -> int:
    counts = comment.get("reactions") or {}
    return int(counts.get("+1") or 0) + int(counts.get("-1") or 0)


def _votes(reactions: Sequence[Mapping[str, Any]]) -> dict[str, bool]:
    """Who holds a thumb up (True) or down; who does both says nothing."""
    ups, downs = ({_login(one) for one in reactions if one.get("content") == sign and _person(one)} for sign in ("+1", "-1"))
    return {who: who in ups for who in sorted(ups ^ downs)}


def _person(said: Mapping[str, Any]) -> bool:
    return bool(_login(said)) and (said.get("user") or {}).get("type") != "Bot"


def _login(said: Mapping[str, Any]) -> str:
    return str((said.get("user") or {}).get("login", ""))
