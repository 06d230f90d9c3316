"""Pull requests as we know them, in Redis. `Pulls` is the only one who reads and writes these keys:

    box:github, box:github:slow       queues of jobs (arq): what takes a moment, and what may take minutes
    box:github:delivery:{guid}        set once per delivery, for three days: a redelivery is no second event
    box:github:pull:{repo}:{number}   PullState
    ….:names                          PullRef: what it is called now, by the newest delivery
    ….:inbox                          list of intents not yet taken up, each behind its delivery's id
    ….:turn                           lock: one worker tends a pull request at a time
    box:github:open                   sorted set: pull requests with something left to do, by when to look again (Unix seconds)
    box:github:round:{review id}      which pull request a review is for

A delivery is marked, put into the inbox and its pull request opened in one step, so that a crash loses nothing and doubles nothing.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal

from arq.connections import ArqRedis
from box_review.config import RepoConfig
from box_review.finding import ContractModel
from box_review.jobs import KEEP_S, Queue
from box_review.review import Sha
from pydantic import Field

from bot.errors import Refused
from bot.github.decide import Closed, Look, Said, intent
from bot.github.observed import Told
from bot.github.pull import PullRef
from bot.github.turn import Hold, TurnLost, holding

GITHUB, SLOW = Queue("box:github"), Queue("box:github:slow")
TEND_JOB, PREPARE_JOB, ASK_JOB, UNINSTALLED_JOB = "tend", "prepare", "ask", "uninstalled"
OPEN = "box:github:open"
SEEN_S = 3 * 24 * 3600
MOST_INBOX = 1000

_ACCEPT = """
if redis.call('llen', KEYS[2]) >= tonumber(ARGV[5]) then return 2 end
if not redis.call('set', KEYS[1], '1', 'NX', 'EX', ARGV[4]) then return 0 end
redis.call('rpush', KEYS[2], ARGV[2])
redis.call('expire', KEYS[2], ARGV[6])
redis.call('set', KEYS[4], ARGV[7], 'EX', ARGV[6])
redis.call('zadd', KEYS[3], ARGV[3], ARGV[1])
return 1
"""
_SAVE = """
if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('set', KEYS[2], ARGV[3], 'EX', ARGV[5])
for at = 7, #ARGV do redis.call('lrem', KEYS[3], 1, ARGV[at]) end
if ARGV[4] ~= '' then redis.call('zadd', KEYS[4], ARGV[4], ARGV[2])
elseif redis.call('llen', KEYS[3]) > 0 then redis.call('zadd', KEYS[4], ARGV[6], ARGV[2])
else redis.call('zrem', KEYS[4], ARGV[2]) end
return 1
"""


class Wish(ContractModel):
    """How a round's review differs from what the repository wants.

    Args:
        shadow: model and harness are those of the reviewers alone, and no other model stands in for theirs; the jury stays what it is.
    """

    roles: tuple[str, ...] = ()
    model: str = ""
    harness: str = ""
    shadow: bool = False


class Done(ContractModel):
    """What of a verdict stands at GitHub."""

    check: bool = False
    review: bool = False
    threads: bool = False
    labels: bool = False
    sarif: bool = False
    sticky: bool = False


Stage = Literal["preparing", "reviewing", "over"]


class Round(ContractModel):
    """One review of one head.

    Args:
        attempt: of the same head, from 1.
        base_sha: tip of the branch it goes to, when the round began; `merge_base` is what the head is compared with.
        review_id: chosen when the round begins, so that a job that runs twice asks for one review.
        ended: why there is no verdict, as Markdown of ours: check and comment say it. Empty for one that has or will have one.
        conclusion: of a round that ended so.
        greeted: the comment says that it is under way.
        notes: sentences on what GitHub did not take.
        before: the review of an earlier head that this one goes on from.
        config: how the repository wants it.
    """

    attempt: int
    head_sha: Sha
    base_ref: str
    base_sha: Sha
    merge_base: Sha | None = None
    title: str = ""
    review_id: str
    wish: Wish = Wish()
    stage: Stage = "preparing"
    ended: str = ""
    conclusion: Literal["", "cancelled", "neutral", "action_required"] = ""
    check_run_id: int | None = None
    greeted: bool = False
    notes: tuple[str, ...] = ()
    done: Done = Done()
    began_at: float
    before: str = ""
    config: RepoConfig = RepoConfig()

    def external_id(self, pull: PullRef) -> str:
        """Its name at GitHub."""
        return f"{pull.repo_id}:{pull.number}:{self.head_sha}:{self.attempt}"


class Comparison(ContractModel):
    """Models that review one head in the shadow: nothing of that is published but how they compare.

    Args:
        said: what asked for it.
        shadows: one round for each model, without a check; all are of the same head, base and settings. A greeted one had its turn.
        told: who asked has been told that it is under way.
    """

    said: Said
    shadows: tuple[Round, ...] = Field(min_length=1)
    told: bool = False

    @property
    def over(self) -> bool:
        """True if no model has anything more to say."""
        return all(shadow.stage == "over" for shadow in self.shadows)

    @property
    def models(self) -> tuple[str, ...]:
        """Which models."""
        return tuple(shadow.wish.model for shadow in self.shadows)


class Ignored(ContractModel):
    """A finding that people do not want to hear of again."""

    fingerprint: str
    finding: str
    by: str
    reason: str = ""


class PullState(ContractModel):
    """What we know and have done. The last of `rounds` is the current one; older ones stay until GitHub says how they ended.

    Args:
        comparison: the one that is under way.
        sticky_id: our comment.
        published: the newest review that was posted.
        told: findings of all that were posted, and what would mute each; the newest `MOST_TOLD`.
        failures, failing_since: how often in a row GitHub could not be worked with, and the Unix seconds of the first time.
        failing_gone: what it then says is that things are not there.
        rests_until: before that, nothing may be looked at: what GitHub was asked for may still be done.
    """

    pull: PullRef
    sticky_id: int | None = None
    rounds: tuple[Round, ...] = ()
    comparison: Comparison | None = None
    published: str = ""
    ignored: tuple[Ignored, ...] = Field(default=(), max_length=500)
    told: tuple[Told, ...] = ()
    failures: int = 0
    failing_since: float = 0.0
    failing_gone: bool = False
    rests_until: float = 0.0

    @property
    def current(self) -> Round | None:
        """The newest round."""
        return self.rounds[-1] if self.rounds else None

    @property
    def settled(self) -> bool:
        """True if nothing is left to do."""
        return self.comparison is None and all(round_.stage == "over" for round_ in self.rounds)

    @property
    def shadows(self) -> tuple[Round, ...]:
        """Rounds of which nothing is published."""
        return self.comparison.shadows if self.comparison else ()

    def with_round(self, changed: Round) -> PullState:
        """The same with one round or shadow as it is now, or a new round."""
        if self.comparison and any(shadow.review_id == changed.review_id for shadow in self.shadows):
            shadows = tuple(changed if shadow.review_id == changed.review_id else shadow for shadow in self.shadows)
            return self.model_copy(update={"comparison": self.comparison.model_copy(update={"shadows": shadows})})
        others = [round_ for round_ in self.rounds if round_.review_id != changed.review_id]
        known = len(others) < len(self.rounds)
        rounds = [changed if round_.review_id == changed.review_id else round_ for round_ in self.rounds]
        return self.model_copy(update={"rounds": tuple(rounds) if known else (*self.rounds, changed)})

    def round_of(self, review_id: str) -> Round | None:
        """The round or shadow that a review is of."""
        return next((round_ for round_ in (*self.rounds, *self.shadows) if round_.review_id == review_id), None)


@dataclass(frozen=True)
class Entry:
    """An intent, and how it stands in the inbox: no two are alike, so taking one out twice takes out no other."""

    raw: bytes
    intent: Look | Closed | Said


class Turn:
    """The right to change one pull request's state, while it lasts."""

    def __init__(self, redis: ArqRedis, pull: PullRef, hold: Hold) -> None:
        self._redis, self._pull, self._hold = redis, pull, hold

    async def check(self) -> None:
        """Raises TurnLost if it is over."""
        await self._hold.check()

    async def load(self) -> PullState:
        """The state as it was left."""
        raw = await self._redis.get(_state(self._pull.key))
        return PullState(pull=self._pull) if raw is None else PullState.model_validate_json(raw)

    async def inbox(self) -> list[Entry]:
        """What has come in and was not taken up."""
        found = await self._redis.lrange(_inbox(self._pull.key), 0, -1)  # type: ignore[misc]
        return [Entry(raw, intent.validate_json(raw.partition(b" ")[2])) for raw in found]

    async def save(self, state: PullState, *, taken: Sequence[Entry] = (), again_at: float | None = None) -> None:
        """Keep a state, take intents out of the inbox, and say when to look again (None: when something comes).

        Raises:
            TurnLost: the turn is over; nothing was kept.
        """
        key = self._pull.key
        names = [_turn(key), _state(key), _inbox(key), OPEN]
        due = "" if again_at is None else repr(again_at)
        arguments = [self._hold.token, key, state.model_dump_json(), due, str(KEEP_S), repr(time.time()), *(entry.raw for entry in taken)]
        if not await self._redis.eval(_SAVE, 4, *names, *arguments):  # type: ignore[misc, arg-type]
            raise TurnLost(key)


class Pulls:
    """All pull requests."""

    def __init__(self, redis: ArqRedis) -> None:
        self.redis = redis

    async def accept(self, delivery: str, pull: PullRef, what: Look | Closed | Said) -> bool:
        """Take up a delivery; False if it was taken up before. Raises Refused while the pull request is flooded: it is told again later."""
        names = [_delivery(delivery), _inbox(pull.key), OPEN, _names(pull.key)]
        bounds = [str(SEEN_S), str(MOST_INBOX), str(KEEP_S)]
        entry = f"{delivery} {intent.dump_json(what).decode()}"
        arguments = [pull.key, entry, repr(time.time()), *bounds, pull.model_dump_json()]
        outcome = await self.redis.eval(_ACCEPT, 4, *names, *arguments)  # type: ignore[misc]
        if outcome == 2:
            raise Refused("too much of this pull request waits to be looked at; try again later", 503)
        return bool(outcome)

    async def once(self, delivery: str) -> bool:
        """Mark a delivery that asks for nothing; False if it was there before."""
        return bool(await self.redis.set(_delivery(delivery), "1", nx=True, ex=SEEN_S))

    async def seen(self, delivery: str) -> bool:
        """True for a delivery that came in already."""
        return bool(await self.redis.exists(_delivery(delivery)))

    async def ref(self, key: str) -> PullRef | None:
        """The names of a pull request by its key."""
        raw = await self.redis.get(_names(key))
        return None if raw is None else PullRef.model_validate_json(raw)

    async def due(self) -> Sequence[str]:
        """Keys of pull requests to look at now."""
        return [raw.decode() for raw in await self.redis.zrangebyscore(OPEN, "-inf", time.time())]

    async def open(self) -> Sequence[str]:
        """Keys of all pull requests with something left to do."""
        return [raw.decode() for raw in await self.redis.zrange(OPEN, 0, -1)]

    async def put_off(self, key: str, at: float) -> None:
        """Look at an open pull request no sooner than that."""
        await self.redis.zadd(OPEN, {key: at}, xx=True)

    async def look_again(self, key: str, at: float) -> None:
        """Look at a pull request again, at the latest then."""
        await self.redis.zadd(OPEN, {key: at}, lt=True)

    async def peek(self, key: str) -> PullState | None:
        """A state to look at, not to change."""
        raw = await self.redis.get(_state(key))
        return None if raw is None else PullState.model_validate_json(raw)

    async def bind(self, review_id: str, pull: PullRef) -> None:
        """Remember which pull request a review is for."""
        await self.redis.set(_round(review_id), pull.model_dump_json(), ex=KEEP_S)

    async def of_review(self, review_id: str) -> PullRef | None:
        """The pull request that a review is for; None if it is for none."""
        raw = await self.redis.get(_round(review_id))
        return None if raw is None else PullRef.model_validate_json(raw)

    async def of_reviews(self, review_ids: Sequence[str]) -> list[PullRef | None]:
        """The same for several, in their order."""
        found = await self.redis.mget([_round(review_id) for review_id in review_ids]) if review_ids else []
        return [None if raw is None else PullRef.model_validate_json(raw) for raw in found]

    @contextlib.asynccontextmanager
    async def turn(self, pull: PullRef) -> AsyncIterator[Turn]:
        """Wait for the right to change a pull request's state.

        Raises:
            TurnLost: it was not to be had in time, or was lost on the way.
        """
        async with holding(self.redis, _turn(pull.key)) as hold:
            yield Turn(self.redis, pull, hold)


def _delivery(guid: str) -> str:
    return f"box:github:delivery:{guid}"


def _state(key: str) -> str:
    return f"box:github:pull:{key}"


def _names(key: str) -> str:
    return f"box:github:pull:{key}:names"


def _inbox(key: str) -> str:
    return f"box:github:pull:{key}:inbox"


def _turn(key: str) -> str:
    return f"box:github:pull:{key}:turn"


def _round(review_id: str) -> str:
    return f"box:github:round:{review_id}"
