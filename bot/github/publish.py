"""A verdict, written to GitHub: one review with comments at lines, the sticky comment, the check with its annotations.

GitHub knows no way to do a thing just once, and an answer can be lost after the deed. So each step looks for its mark before it creates
anything, and what is done is remembered; whoever goes on after a crash, on whichever machine, finds what is there.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import structlog
from box_review import Conclusion, EarlierState, Finding, ReviewRecord, ReviewStatus, Severity
from box_review.errors import InputError
from box_review.report import render, wording

from bot.github import hunks, marks, words
from bot.github.calls import SCANNING, Calls
from bot.github.desk import Desk
from bot.github.errors import LASTING, GitHubError, Limited, Rejected, Unavailable
from bot.github.mirror import fetched
from bot.github.show import REFUSED, details, put_sticky, refused
from bot.github.state import Ignored, PullState, Round

log = structlog.get_logger()

ANNOTATIONS_AT_ONCE = 50
MOST_ANNOTATIONS = 500
NO_SCANNING = "Code scanning took no findings: the App needs the permission `security_events: write`, and the repository code scanning."
NO_LINES = "No finding stands at its line: GitHub did not take the comments, or the lines could not be looked up. All are listed here."
_NAMES = {
    "review": "the comments at lines",
    "threads": "answers in the threads of what is fixed",
    "labels": "labels",
    "sarif": "findings for code scanning",
    "sticky": "the comment",
}
_LEVELS = {Severity.CRITICAL: "failure", Severity.HIGH: "failure", Severity.MEDIUM: "warning", Severity.LOW: "notice"}


@dataclass(frozen=True)
class Verdict:
    """What is published.

    Args:
        record: the jury's, read anew and checked by its schema, without what people ignore.
        told: findings that get a comment of their own.
    """

    record: ReviewRecord
    told: tuple[Finding, ...]

    @property
    def conclusion(self) -> Conclusion:
        """What the check says."""
        return self.record.conclusion


async def verdict_of(desk: Desk, state: PullState, round_: Round) -> Verdict:
    """The verdict of a round's review; what people ignore is among what was dropped, with who wants it so."""
    record = await heeded(desk, state, await desk.reviews.record(round_.review_id))
    return Verdict(record, tuple(wording.shown(record)))


async def heeded(desk: Desk, state: PullState, record: ReviewRecord) -> ReviewRecord:
    """A record without what people ignore in a pull request."""
    ignored = {item.fingerprint: item for item in state.ignored}
    out = [finding for finding in record.findings if finding.fingerprint in ignored]
    if out:
        left = tuple(finding for finding in record.findings if finding.fingerprint not in ignored)
        dropped = [finding.dropped(_who(ignored[finding.fingerprint])) for finding in out]
        conclusion = await _without(desk, record, left)
        summary = f"{wording.plural(len(out), 'finding')} ignored on request. {record.summary}"[:4000]
        update = {"findings": left, "dropped": (*dropped, *record.dropped), "conclusion": conclusion, "summary": summary}
        record = record.model_copy(update=update)
    return record


async def _without(desk: Desk, record: ReviewRecord, left: tuple[Finding, ...]) -> Conclusion:
    """The conclusion where only some of the findings are left."""
    request = await desk.reviews.request(record.review_id)
    threshold = request.fail_on if request is not None else Severity.HIGH
    fails = threshold is not None and any(finding.severity.at_least(threshold) for finding in left)
    if record.conclusion is not Conclusion.FAILURE or fails:
        return record.conclusion
    by_agents = any(report.harness != wording.STATIC for report in record.roles)
    return Conclusion.SUCCESS if by_agents and record.status is ReviewStatus.COMPLETED else Conclusion.NEUTRAL


def _who(ignored: Ignored) -> str:
    return f"ignored by {ignored.by}" + (f": {ignored.reason}" if ignored.reason else "")


class Publication:
    """One round's verdict on its way to GitHub; `state` is always what is done so far.

    Args:
        remember: called with the state after each part that is done.
    """

    def __init__(
        self,
        desk: Desk,
        calls: Calls,
        state: PullState,
        round_: Round,
        verdict: Verdict,
        remember: Callable[[PullState], Awaitable[None]] | None = None,
    ) -> None:
        self._desk, self._calls, self.state, self._round, self._verdict = desk, calls, state, round_, verdict
        self._remember = remember

    async def run(self) -> None:
        """All that is not done yet. A part that GitHub refuses for good is told in the others; one that must wait lets the others go on.

        Raises:
            GitHubError: some part must wait, or the check cannot be ended; what was done stays done.
        """
        parts = {"review": self._review, "threads": self._threads, "labels": self._labels, "sarif": self._sarif}
        waiting = [await self._part(name, work) for name, work in {**parts, "sticky": self.sticky, "check": self.check}.items()]
        if troubles := [error for error in waiting if error is not None]:
            raise max(troubles, key=lambda error: error.after_s if isinstance(error, Unavailable) else 0.0)

    async def _part(self, name: str, work: Callable[[], Awaitable[None]]) -> GitHubError | None:
        """One part, unless it is done; returns why it is not."""
        if getattr(self._round.done, name):
            return None
        try:
            await work()
        except Limited:
            raise
        except Unavailable as error:
            return error
        except LASTING as error:
            if name == "check":  # nobody may be left waiting for it, so it is tried for as long as anything is
                return error
            self._note(refused(_NAMES[name], error))
        await self._now(done=self._round.done.model_copy(update={name: True}))
        return None

    async def _now(self, **update: object) -> None:
        self._round = self._round.model_copy(update=update)
        self.state = self.state.with_round(self._round)
        if self._remember is not None:
            await self._remember(self.state)

    def _note(self, note: str) -> None:
        self._round = self._round.model_copy(update={"notes": tuple(dict.fromkeys((*self._round.notes, note)))})

    def _text(self) -> str:
        """The whole review."""
        return words.verdict(self._verdict.record, self._round.notes, self._desk.link(self._round.review_id))

    async def sticky(self) -> None:
        """The comment with the whole review."""
        self.state = await put_sticky(self._desk, self._calls, self.state, self._text())

    async def check(self) -> None:
        """The check's end, if it has begun. It holds the review where no comment does."""
        if self._round.check_run_id is None:
            return
        record, path = self._verdict.record, f"/check-runs/{self._round.check_run_id}"
        told = self.state.sticky_id is not None and not any(note.startswith(REFUSED + _NAMES["sticky"]) for note in self._round.notes)
        where = "The review is in the comment on the pull request." if told else "GitHub took no comment; the review stands below."
        output = {"title": words.check_title(record), "summary": f"{wording.last_line(record)}\n\n{where}"[:60_000]}
        if not await self._annotate(path, output):
            output["summary"] += " GitHub did not take all marks at lines."
        end = output if told else {**output, "text": self._text()}
        body = {"status": "completed", "conclusion": self._verdict.conclusion.value, "output": end, **details(self._desk, self._round)}
        try:
            await self._calls.change(path, body)
        except Rejected as error:
            log.warning("the check's text was refused; it ends without", reason=str(error))
            await self._calls.change(path, {**body, "output": {"title": output["title"], "summary": where}})

    async def _annotate(self, path: str, output: dict[str, str]) -> bool:
        """Findings at their lines; False if GitHub refused some. Annotations can only be added, so it is looked how many are there."""
        found = await self._calls.get(path)
        annotations = [_annotation(finding) for finding in self._verdict.told][:MOST_ANNOTATIONS]
        there = int((found.get("output") or {}).get("annotations_count") or 0)
        for start in range(there, len(annotations), ANNOTATIONS_AT_ONCE):
            part = annotations[start : start + ANNOTATIONS_AT_ONCE]
            try:
                await self._calls.append(path, {"output": {**output, "annotations": part}})
            except Rejected as error:  # a path that GitHub does not take must not cost the verdict
                log.warning("annotations were refused", reason=str(error))
                return False
        return True

    async def _review(self) -> None:
        """One review, with comments on lines of the diff; none where there is nothing to tell."""
        if not self._verdict.told or await self._posted():
            return
        comments = await self._comments()
        body = {"commit_id": self._round.head_sha, "event": "COMMENT", "body": words.review_body(self._verdict.record, len(comments))}
        try:
            await self._calls.create(f"/pulls/{self.state.pull.number}/reviews", {**body, "comments": comments})
        except Rejected as error:
            if not comments:
                raise
            log.warning("comments at lines were refused; the review goes without", reason=str(error))
            self._note(NO_LINES)
            plain = {**body, "body": words.review_body(self._verdict.record, 0)}
            await self._calls.create(f"/pulls/{self.state.pull.number}/reviews", plain)

    async def _posted(self) -> bool:
        """True if the review is there: its answer got lost."""
        mark, ours = marks.review(self._round.review_id), await self._ours()
        reviews = await self._calls.all(f"/pulls/{self.state.pull.number}/reviews")
        return any((review.get("body") or "").startswith(mark) and _author(review) == ours for review in reviews)

    async def _comments(self) -> list[dict[str, Any]]:
        """Comments for the findings whose lines the diff shows."""
        base_sha, head_sha = self._round.merge_base or "", self._round.head_sha
        try:
            bare = await fetched(self._desk, self.state.pull, [base_sha, head_sha])  # this may be another machine than at the beginning
            paths = {finding.path for finding in self._verdict.told}
            shown = await asyncio.to_thread(hunks.read_hunks, bare, base_sha, head_sha, paths)
        except InputError as error:  # gone by a force push: the sticky comment has it all
            log.warning("no comments at lines", reason=str(error))
            self._note(NO_LINES)
            return []
        placed = [(finding, hunks.place(finding, shown)) for finding in self._verdict.told]
        return [_comment(finding, place) for finding, place in placed if place is not None]

    async def _threads(self) -> None:
        """Answer in the threads of what is fixed."""
        gone = {item.id: item for item in self._verdict.record.earlier if item.state is EarlierState.FIXED}
        if not gone:
            return
        ours, number = await self._ours(), self.state.pull.number
        comments = [comment for comment in await self._calls.all(f"/pulls/{number}/comments") if _author(comment) == ours]
        answered = {ident for ident in gone if any(comment["body"].startswith(marks.fixed(ident)) for comment in comments)}
        for ident in gone.keys() - answered:
            root = next((one for one in comments if one["body"].startswith(marks.finding(ident)) and not one.get("in_reply_to_id")), None)
            if root is not None:
                body = words.fixed(ident, self._round.head_sha, gone[ident].how)
                await self._calls.create(f"/pulls/{number}/comments/{root['id']}/replies", {"body": body})

    async def _labels(self) -> None:
        """The label of this conclusion, and none of the others'."""
        wanted = self._round.config.github.labels
        if not wanted:
            return
        path = f"/issues/{self.state.pull.number}/labels"
        mine = wanted.get(self._verdict.conclusion)
        there = {str(label["name"]) for label in await self._calls.all(path)}
        for other in set(wanted.values()) - {mine}:
            if other in there:
                await self._calls.remove(f"{path}/{quote(other, safe='')}")
        if mine is not None and mine not in there:
            await self._calls.again("POST", path, {"labels": [mine]})

    async def _sarif(self) -> None:
        """The findings for code scanning. Who has not allowed that is told, and gets the rest all the same."""
        if not self._round.config.github.sarif:
            return
        text = self._desk.app.redaction.text(render(self._verdict.record, "sarif"))
        packed = base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
        ref = f"refs/pull/{self.state.pull.number}/head"
        try:
            calls = await self._desk.app.of(self.state.pull, SCANNING)
            await calls.create("/code-scanning/sarifs", {"commit_sha": self._round.head_sha, "ref": ref, "sarif": packed})
        except LASTING as error:
            log.warning("code scanning took no findings", reason=str(error))
            self._note(NO_SCANNING)

    async def _ours(self) -> str:
        return f"{await self._desk.app.slug()}[bot]"


def _comment(finding: Finding, place: hunks.Place) -> dict[str, Any]:
    comment: dict[str, Any] = {"path": finding.path, "line": place.last, "side": "RIGHT", "body": words.at_line(finding, exact=place.exact)}
    return comment | ({"start_line": place.first, "start_side": "RIGHT"} if place.first < place.last else {})


def _annotation(finding: Finding) -> dict[str, Any]:
    title, message = wording.mark(finding)
    return {
        "path": finding.path,
        "start_line": finding.start_line,
        "end_line": finding.end_line,
        "annotation_level": _LEVELS[finding.severity],
        "title": title,
        "message": message,
    }


def _author(said: Any) -> str:
    return str((said.get("user") or {}).get("login", ""))
