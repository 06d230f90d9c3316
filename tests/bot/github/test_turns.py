"""Workers that die, sleep, lose the queue or meet each other: what is done is done once, by whoever has the turn."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
from redis.asyncio.lock import Lock
from redis.exceptions import RedisError

from bot.github import turn
from bot.github.calls import READING
from bot.github.decide import Look
from bot.github.mirror import Mirrors
from bot.github.missed import TURN_KEY, catch_up
from bot.github.state import PullState
from bot.github.turn import TurnLost, holding
from tests.bot.github.at_desk import OPENED, AtDesk, at_desk, other
from tests.bot.github.test_publish import single
from tests.conftest import Valkey
from tests.fakes.github import Fault, GitHub


class Sleepy(Mirrors):
    """Stops a worker between its look at the reviews that are there and the one it makes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.asked, self.wake = asyncio.Event(), asyncio.Event()

    async def fetch(self, repo_id: int, url: str, token: str, commits: Sequence[str]) -> Path:
        self.asked.set()
        await self.wake.wait()
        return await super().fetch(repo_id, url, token, commits)


async def test_worker_that_slept_too_long_posts_no_second_review(at: AtDesk, tmp_path: Path) -> None:
    mirrors = Sleepy(tmp_path / "mirrors")
    sleeper = other(at, mirrors=mirrors)
    pull = at.pull()
    await at.tell(pull)
    await at.tend(pull)
    await at.further(pull, (await at.state(pull)).rounds[0])
    await at.judge((await at.state(pull)).rounds[0].review_id)
    asleep = asyncio.create_task(sleeper.tend(pull))
    await mirrors.asked.wait()
    await at.desk.pulls.redis.delete(f"box:github:pull:{pull.repository.id}:1:turn")  # its time is over
    await at.tend(pull)
    single(pull)
    mirrors.wake.set()
    await asleep
    single(pull)
    assert (await at.state(pull)).settled


async def test_two_workers_at_once_do_all_once(at: AtDesk) -> None:
    pull = at.pull()
    await at.tell(pull)
    await asyncio.gather(*(at.tend(pull) for _ in range(3)))
    await at.further(pull, (await at.state(pull)).rounds[0])
    await at.judge((await at.state(pull)).rounds[0].review_id)
    await asyncio.gather(*(at.tend(pull) for _ in range(3)))
    single(pull)


async def test_queue_that_goes_away_on_the_way_doubles_nothing(outside: GitHub, valkey: Valkey, tmp_path: Path) -> None:
    async with at_desk(outside, valkey.url, tmp_path) as at:
        pull = at.pull()
        await at.tell(pull)
        await at.tend(pull)
        await at.further(pull, (await at.state(pull)).rounds[0])
        await at.judge((await at.state(pull)).rounds[0].review_id)
        outside.faults.add("POST", r"/pulls/1/reviews$", Fault.slow(0.5))
        working = asyncio.create_task(at.tend(pull))
        await asyncio.to_thread(outside.until, lambda: outside.faults.met)
        valkey.stop()
        with pytest.raises((RedisError, OSError)):
            await working
        assert len(pull.reviews) == 1
        valkey.start()
        await at.desk.pulls.redis.delete(f"box:github:pull:{pull.repository.id}:1:turn")
        await at.desk.pulls.look_again(f"{pull.repository.id}:1", time.time())
        await at.work(pull)
        single(pull)


async def test_turn_that_cannot_be_renewed_ends_its_worker_before_another_begins(at: AtDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "TURN_S", 0.8)
    began = time.monotonic()
    with pytest.raises(TurnLost):
        async with holding(at.desk.pulls.redis, "t:renewed"):
            monkeypatch.setattr(Lock, "reacquire", _away)
            await asyncio.sleep(5)
    assert time.monotonic() - began < 0.8
    assert await at.desk.pulls.redis.exists("t:renewed")  # and it is nobody's until its time is over


async def _away(_: object) -> None:
    raise OSError("the link is down")


async def test_turn_of_a_stopped_worker_goes_on_only_after_its_time(at: AtDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "TURN_S", 0.5)

    async def works() -> None:
        async with holding(at.desk.pulls.redis, "t:stopped"):
            await asyncio.sleep(5)

    worker = asyncio.create_task(works())
    await asyncio.sleep(0.1)
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    began = time.monotonic()
    async with holding(at.desk.pulls.redis, "t:stopped"):
        assert time.monotonic() - began > 0.2


async def test_turn_that_was_taken_stops_its_worker(at: AtDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "TURN_S", 0.4)
    with pytest.raises(TurnLost):
        async with holding(at.desk.pulls.redis, "t:taken") as hold:
            await at.desk.pulls.redis.set("t:taken", "another")
            with pytest.raises(TurnLost):
                await hold.check()
            await asyncio.sleep(5)


async def test_failure_in_a_turn_gives_it_back_at_once(at: AtDesk) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            async with holding(at.desk.pulls.redis, "t:failed"):
                raise ValueError("no")


async def test_taking_an_event_out_twice_takes_out_no_other(at: AtDesk) -> None:
    pull = at.pull()
    await at.tell(pull, Look(why="pushed"))
    await at.tell(pull, Look(why="pushed"))
    async with at.desk.pulls.turn(at.ref(pull)) as had:
        first, second = await had.inbox()
        for _ in range(2):  # as a client does whose answer got lost
            await had.save(PullState(pull=at.ref(pull)), taken=[first])
        assert await had.inbox() == [second]


@pytest.mark.parametrize("ahead_s", [-60, 60])
async def test_clock_may_be_a_minute_off(at: AtDesk, monkeypatch: pytest.MonkeyPatch, ahead_s: int) -> None:
    clock = SimpleNamespace(time=lambda: time.time() + ahead_s)
    monkeypatch.setattr("tests.fakes.github.credentials.time", clock)
    assert (await at.desk.app.own.get("/app"))["slug"] == "box-review"


async def test_tokens_that_are_refused_are_replaced_at_once(at: AtDesk) -> None:
    pull = at.pull(at.repository("fresh", **{"AGENTS.md": "x\n"}))
    at.github.repository("fresh/.github").commit("main", {".github/box-review.yml": "fail_on: high\n"})
    await at.reviewed(pull)
    at.github.expire_tokens()
    pull.push({"shop.py": (pull.repository.bare.git("show", f"{pull.head_sha}:shop.py").decode() + "\n")})
    began = time.monotonic()
    await at.tell(pull)
    await at.work(pull)
    assert time.monotonic() - began < 3
    assert [run.conclusion for run in pull.check_runs] == ["failure"]
    assert len(pull.comments) == 1


async def test_connections_are_kept(at: AtDesk) -> None:
    opened = list[object]()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")
            await writer.drain()

    async def quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(quiet, "127.0.0.1", 0)
    async with server:
        app = type(at.desk.app)(at.desk.app.credentials, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        for _ in range(20):
            assert await app.own.get("/app") == {}
        await app.close()
    assert len(opened) == 1


async def test_calls_of_a_pull_request_share_connections(at: AtDesk) -> None:
    pull = at.pull()
    calls = [await at.desk.app.of(at.ref(pull), READING) for _ in range(3)]
    assert [(await one.get(""))["full_name"] for one in calls] == [pull.repository.full_name] * 3
    minted = [one for one in at.github.requests if one.path.endswith("/access_tokens")]
    assert len({one.body for one in minted if str(pull.repository.id).encode() in one.body}) == 1


async def test_events_that_failed_to_arrive_are_taken_up_however_many(at: AtDesk) -> None:
    at.github.app.webhook_url = "http://127.0.0.1:9/"
    at.github.lose_next_deliveries(400)
    pull = at.pull()
    for number in range(130):
        pull.comment("ada", f"talk {number}")
    at.github.lose_next_deliveries(0)
    at.github.webhooks._to_lose = 0
    at.github.app.webhook_url = None
    await at.desk.pulls.redis.delete(TURN_KEY)
    await catch_up(at.desk)
    await at.work(pull)
    single_of(pull.check_runs)
    asked = len(at.github.requests)
    await at.desk.pulls.redis.delete(TURN_KEY)
    await catch_up(at.desk)
    assert len(at.github.requests) - asked < 6  # what asks for nothing is not read again


def single_of(things: Sequence[object]) -> None:
    """There is one."""
    assert len(things) == 1


async def test_delivery_that_comes_again_is_no_second_event(at: AtDesk) -> None:
    pull = at.pull()
    await at.tell(pull, guid="11111111-2222-3333-4444-555555555555")
    again = await at.desk.pulls.accept("11111111-2222-3333-4444-555555555555", at.ref(pull), OPENED)
    assert not again
    await at.work(pull)
    single(pull)
