"""`/box …` commands of people who may give them."""

from __future__ import annotations

from typing import Any

from box_review import ReviewRecord
from box_review.errors import ConfigInvalid

from bot.errors import NoSuchReview
from bot.github import commands, learning, marks, publish, reply, shadow, take_up, teaching, words
from bot.github.calls import READING, WRITING, Calls
from bot.github.config import read_repo_config, tip_of
from bot.github.decide import Look, Said
from bot.github.desk import Desk
from bot.github.errors import Missing, NotUnderstood
from bot.github.jobs import AskJob
from bot.github.rights import RANKS, rank_of
from bot.github.state import ASK_JOB, SLOW, Ignored, PullState, Wish
from jobs.queue import enqueue


async def obey(desk: Desk, state: PullState, said: Said) -> PullState:
    """The state after a command. Who may not give one gets no answer, only a sign. Raises GitHubError."""
    calls = await desk.app.of(state.pull, WRITING)
    try:
        command: commands.Command | None = commands.read_command(said.body)
        problem = ""
    except NotUnderstood as error:
        command, problem = None, str(error)
    if not await _may(desk, state, said, command):
        await reply.react(calls, said, "confused")
        return state
    await reply.react(calls, said, "eyes")
    if command is None:
        await reply.answer(desk, calls, state.pull.number, said, words.help_text(problem))
        return state
    return await _Orders(desk, calls, state, said).carry_out(command)


class _Orders:
    """One command of somebody who may."""

    def __init__(self, desk: Desk, calls: Calls, state: PullState, said: Said) -> None:
        self._desk, self._calls, self._state, self._said = desk, calls, state, said

    async def carry_out(self, command: commands.Command) -> PullState:
        """The state afterwards."""
        match command:
            case commands.Review():
                return await self._review(command)
            case commands.Compare():
                return await self._compare(command)
            case commands.Cancel():
                why = f"Cancelled by {self._said.author}."
                after = shadow.stop(take_up.stop(self._state, why), why)
                if after is self._state:
                    await self._answer("No review is under way.")
                return after
            case commands.Ignore():
                return await self._ignore(command)
            case commands.Ask():
                await self._ask(command)
            case commands.Resume():
                await self._resume(command)
            case _:
                await self._answer(await self._words(command))
        return self._state

    async def _words(self, command: commands.Learn | commands.Memory | commands.Status | commands.Help) -> str:
        """The answer to what changes nothing of the pull request."""
        match command:
            case commands.Learn():
                return await teaching.learn(self._desk, self._state, self._said, command)
            case commands.Memory():
                return await teaching.memory(self._desk, self._state, self._said, command)
            case commands.Status():
                return words.status(self._state)
            case commands.Help():
                return words.help_text()

    async def _review(self, command: commands.Review) -> PullState:
        wish = Wish(roles=command.roles, model=command.model, harness=command.harness)
        look = Look(why="rerequested", again=command.force or wish != Wish() or self._ended_early())
        after = await take_up.look(self._desk, self._state, look, wish, asked=True)
        if after is self._state:
            await self._answer(f"{words.status(self._state)} `/box review --force` reviews it once more.")
        return after

    def _ended_early(self) -> bool:
        """True if the newest round has no verdict and will have none."""
        current = self._state.current
        return current is not None and bool(current.ended)

    async def _answer(self, text: str) -> None:
        await reply.answer(self._desk, self._calls, self._state.pull.number, self._said, text)

    async def _record(self) -> ReviewRecord | None:
        """The newest verdict that was published."""
        try:
            return await self._desk.reviews.record(self._state.published) if self._state.published else None
        except NoSuchReview:
            return None

    async def _ignore(self, command: commands.Ignore) -> PullState:
        record = await self._record()
        finding = next((one for one in record.findings if one.id == command.finding), None) if record else None
        if finding is None:
            await self._answer(f"The last review has no finding `{command.finding}`.")
            return self._state
        await learning.dismissed(self._desk, self._state, self._said.author, finding)
        others = tuple(one for one in self._state.ignored if one.fingerprint != finding.fingerprint)[-499:]
        one = Ignored(fingerprint=finding.fingerprint, finding=finding.id, by=self._said.author, reason=command.reason)
        state = self._state.model_copy(update={"ignored": (*others, one)})
        round_ = state.round_of(self._state.published)
        if round_ is not None and round_.stage == "over":  # what stands there is told anew, without it
            verdict = await publish.verdict_of(self._desk, state, round_)
            publication = publish.Publication(self._desk, self._calls, state, round_, verdict)
            await publication.sticky()
            await publication.check()
            state = publication.state
        await self._answer(f"`{finding.id}` is ignored in this pull request.")
        return state

    async def _compare(self, command: commands.Compare) -> PullState:
        """The state with a comparison, which is told of when it is kept: so who repeats this begins no second one."""
        if (now := self._state.comparison) is not None:
            if now.said.comment_id != self._said.comment_id:
                await self._answer(f"{words.under_way(now)} `/box cancel` stops it.")
            return self._state
        try:
            begun = await shadow.begin(self._desk, self._state, self._said, command)
        except shadow.NotCompared as error:
            await self._answer(str(error))
            return self._state
        return self._state.model_copy(update={"comparison": begun})

    async def _ask(self, command: commands.Ask) -> None:
        record = await self._record()
        able = [report for report in record.roles if report.session_id] if record else []
        if record is None or not able:
            await self._answer("No agent can answer: nothing was reviewed yet, or by analyzers alone.")
            return
        finding = await self._finding_of_thread(record)
        roles = finding.roles if finding else ()
        role = next((report.role for report in able if report.role in roles), max(able, key=lambda report: report.findings).role)
        about = f"About your finding {finding.id} ({finding.title}, {finding.path}:{finding.start_line}): " if finding else ""
        job = AskJob(pull=self._state.pull, said=self._said, review_id=record.review_id, role=role, text=f"{about}{command.text}")
        await enqueue(self._desk.pulls.redis, SLOW, ASK_JOB, job, f"github:ask:{self._said.comment_id}")

    async def _finding_of_thread(self, record: ReviewRecord) -> Any:
        """The finding whose thread the comment stands in."""
        if self._said.thread_id is None:
            return None
        try:
            root = await self._calls.get(f"/pulls/comments/{self._said.thread_id}")
        except Missing:
            return None
        return next((one for one in record.findings if str(root.get("body", "")).startswith(marks.finding(one.id))), None)

    async def _resume(self, command: commands.Resume) -> None:
        record = await self._record()
        roles = [report.role for report in record.roles if report.box_id] if record else []
        wanted = [role for role in roles if command.role in ("", role)]
        if record is None or not wanted:
            known = f"; there is {', '.join(roles)}" if roles else ""
            await self._answer(f"No box of {f'`{command.role}`' if command.role else 'a reviewer'} is kept{known}.")
            return
        settings = self._desk.settings
        await self._answer(words.resume(record.review_id, wanted, settings.box_url, self._desk.link(record.review_id)))


async def _may(desk: Desk, state: PullState, said: Said, command: commands.Command | None) -> bool:
    """True if the author may say this, by what GitHub says of him now."""
    calls = await desk.app.of(state.pull, READING)
    rank = await rank_of(calls, said.author)
    needed = RANKS["read"] if isinstance(command, commands.FOR_ALL) else RANKS["write"]
    if rank >= needed or rank < RANKS["read"] or commands.teaches(command):
        return rank >= needed
    try:
        pull = await calls.get(f"/pulls/{state.pull.number}")
        config = await read_repo_config(desk.app, state.pull, pull["base"], await tip_of(desk.app, state.pull, pull["base"]))
    except ConfigInvalid:
        return False
    return rank >= RANKS[config.github.commands_from]
