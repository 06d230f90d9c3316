"""The App's worker in this process, step by step: real Valkey, real git, GitHub on loopback. Only the runner is played."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from box_review import Conclusion, Finding, ReviewRecord, RoleReport, RoleStatus, Severity
from box_review.jobs import HOSTS, HostReport

from bot.fleet import Fleet
from bot.github.app import App
from bot.github.credentials import Credentials, Keeper
from bot.github.decide import Closed, Look, Said
from bot.github.desk import Desk
from bot.github.jobs import Prepare, Tend
from bot.github.mirror import Mirrors
from bot.github.pace import Pace
from bot.github.prepare import prepare
from bot.github.pull import PullRef
from bot.github.state import Pulls, PullState, Round
from bot.github.tend import tend
from bot.reviews import Reviews
from bot.settings import BotSettings
from bot.sources import Sources
from jobs.queue import connect
from runner.reviews import Reviews as RunnerReviews
from runner.reviews import ReviewState
from tests.fakes.github import GitHub, Pull, Repository
from tests.repositories import BAD
from tests.sdk.records import finding, record

QUICK = Pace(
    call_s=3.0, settle_s=0.5, again_s=(0.02, 0.05), pause_s=0.05, longest_s=0.2, look_s=0.3, gone_s=0.4, patience_s=1.5,
)  # fmt: skip
OPENED = Look(why="opened")
TENANT = "operator"


def found(count: int = 2) -> tuple[Finding, ...]:
    """Findings at the one line of the pull request that matters."""
    return tuple(
        finding(path="shop.py", start_line=5, end_line=5, topic=f"t{number}", title=f"Trouble {number}", severity=Severity.HIGH)
        for number in range(count)
    )


def verdict(review: ReviewState) -> ReviewRecord:
    """What the jury says unless a test wants something else."""
    roles = tuple(RoleReport(role=role, status=RoleStatus.COMPLETED) for role in review.request.roles)
    return judged(review, roles=roles, findings=found(), conclusion=Conclusion.FAILURE)


def judged(review: ReviewState, **said: object) -> ReviewRecord:
    """A record of a review."""
    request = review.request
    known = {"review_id": review.review_id, "repository": request.repository, "title": request.title}
    return record(**known, base_sha=request.base_sha, head_sha=request.head_sha, **{"dropped": (), "earlier": (), **said})


@dataclass
class AtDesk:
    """One worker without a queue of jobs: tests say who works when."""

    github: GitHub
    desk: Desk
    verdict: Callable[[ReviewState], ReviewRecord] = verdict

    def repository(self, owner: str = "acme", **files: str) -> Repository:
        """A repository of its own."""
        made = self.github.repository(f"{owner}/shop-{len(self.github.repositories)}")
        made.member("ada", "write")
        made.commit("main", {"README.md": "shop\n", **files})
        return made

    def pull(self, repository: Repository | None = None) -> Pull:
        """A pull request in which every review finds something."""
        repository = repository or self.repository()
        repository.commit("topic", {"shop.py": BAD}, start="main")
        return repository.pull(user="ada", head="topic", title="Run it")

    async def tell(self, pull: Pull, what: Look | Closed | Said = OPENED, guid: str = "") -> None:
        """A delivery came in."""
        assert await self.desk.pulls.accept(guid or str(uuid.uuid4()), self.ref(pull), what)

    def ref(self, pull: Pull) -> PullRef:
        """The pull request as it is known here."""
        where = pull.repository
        place = where.installation
        assert place is not None
        return PullRef(installation_id=place.id, repo_id=where.id, owner=where.owner.login, repo=where.name, number=pull.number)

    async def state(self, pull: Pull) -> PullState:
        """What is known of it."""
        return await self.desk.pulls.peek(f"{pull.repository.id}:{pull.number}") or PullState(pull=self.ref(pull))

    async def tend(self, pull: Pull) -> None:
        """One turn at it."""
        await tend(self.desk, Tend(key=f"{pull.repository.id}:{pull.number}"))

    async def work(self, pull: Pull, seconds: float = 20.0) -> None:
        """Everything, until nothing is left to do."""
        key, ends = f"{pull.repository.id}:{pull.number}", time.monotonic() + seconds
        while key in await self.desk.pulls.open():
            assert time.monotonic() < ends, await self.state(pull)
            if key in await self.desk.pulls.due():
                await self.tend(pull)
            state = await self.state(pull)
            for round_ in (*state.rounds, *state.shadows):
                await self.further(pull, round_)
            await asyncio.sleep(0.01)

    async def further(self, pull: Pull, round_: Round) -> None:
        """What other jobs and the runner do for a round."""
        if round_.stage == "preparing" and not round_.ended and not (await self.state(pull)).rests_until > time.time():
            await prepare(self.desk, Prepare(pull=self.ref(pull), review_id=round_.review_id))
        elif round_.stage == "reviewing" and not round_.ended:
            await self.judge(round_.review_id)
            await self.desk.pulls.look_again(f"{pull.repository.id}:{pull.number}", time.time())

    async def judge(self, review_id: str) -> None:
        """The runner has its verdict."""
        runner = RunnerReviews(self.desk.pulls.redis)
        review = await runner.get(review_id)
        assert review is not None
        await runner.finish(review, self.verdict(review))

    async def reviewed(self, pull: Pull) -> None:
        """From the first delivery to the end."""
        await self.tell(pull)
        await self.work(pull)


@asynccontextmanager
async def at_desk(github: GitHub, redis_url: str, folder: Path, pace: Pace = QUICK) -> AsyncIterator[AtDesk]:
    """A worker for the App of a GitHub."""
    settings = BotSettings(
        redis_url=redis_url, box_data_dir=folder, github_api_url=github.api_url, app_id=github.app.id,
        private_key=github.app.private_key, webhook_secret=github.app.webhook_secret, box_url="https://review.example.com",
    )  # fmt: skip
    credentials = Keeper(settings).current()
    assert isinstance(credentials, Credentials)
    redis = connect(redis_url, deadline_s=15.0)
    sources = Sources(settings.artifacts_url, settings.box_max_source_bytes)
    reviews = Reviews(redis, sources, settings.artifacts_url)
    fleet, app = Fleet(reviews, None), App(credentials, github.api_url, pace=pace)
    host = HostReport(
        id="h", version="1", capacity=4, drivers=("x",), harnesses=("static",), roles=("security", "quality", "architecture"), seen_at=1e12
    )
    await redis.hset(HOSTS, "h", host.model_dump_json())  # type: ignore[misc]
    try:
        yield AtDesk(github, Desk(settings, app, Pulls(redis), reviews, sources, fleet, Mirrors(folder / "mirrors"), TENANT, pace))
    finally:
        await fleet.close()
        await app.close()
        await redis.aclose(close_connection_pool=True)


def other(at: AtDesk, **changed: object) -> AtDesk:
    """A second worker beside the first."""
    return replace(at, desk=replace(at.desk, **changed))  # type: ignore[arg-type]
