"""A runner host that is cut off in the middle of a review: the other takes over, and what GitHub sees is whole and single."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from arq.constants import in_progress_key_prefix
from box_review import ReviewRecord
from box_review.jobs import review_key
from redis import Redis

from tests.conftest import short_folder
from tests.fakes.github import GitHub, Pull
from tests.flow.github.conftest import wait_for
from tests.flow.github.two_hosts import Fleet, Host, fleet, why_not
from tests.repositories import BAD

LEASE_S = 2.0
TAKEN_OVER_S = 10.0
MANY = {f"d{number % 20}/f{number}.py": "".join(f"def f{at}(a):\n    return a\n\n\n" for at in range(100)) for number in range(300)}

pytestmark = [pytest.mark.root, pytest.mark.timeout(150)]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    if reason := why_not():
        pytest.skip(reason)
    with GitHub(tmp_path_factory.mktemp("github")) as github:
        github.user("ada")
        for folder in short_folder():
            with fleet(github, Path(folder), LEASE_S) as running:
                yield running


def test_host_that_is_cut_off_is_replaced_and_doubles_nothing(two: Fleet) -> None:
    shop = two.github.repository("acme/shop")
    shop.commit("topic", {**MANY, "shop.py": BAD})
    with Redis.from_url(two.redis_url) as redis:
        undisturbed = _reviewed(shop.pull(user="ada", head="topic"), 60)
        shop.commit("second", {**MANY, "shop.py": BAD, "more.md": "x\n"})
        pull = shop.pull(user="ada", head="second")
        wait_for(lambda: _working(redis, two), "a host at work", 30)
        lost = _working(redis, two)[0]
        lost.cable.cut()
        cut_at = time.monotonic()
        wait_for(lambda: _working(redis, two) == [_other(two, lost)] or pull.reviews, "the other host", TAKEN_OVER_S)
        taken_over_s = time.monotonic() - cut_at
        took = _reviewed(pull, 60)
        print(f"undisturbed {undisturbed:.1f} s; taken over {taken_over_s:.1f} s after the cut, reviewed after {took:.1f} s")
        lost.cable.mend()
        record = _record(redis, pull)
        assert {role.status.value for role in record.roles} == {"completed"}, [role.error for role in record.roles]
        wait_for(lambda: "the lease is lost" in lost.log.read_text() or "went away" in lost.log.read_text(), "that the lost host stopped")
    single(pull)
    again = two.github.repository("acme/again")
    again.commit("topic", {"shop.py": BAD})
    _reviewed(after := again.pull(user="ada", head="topic"), 30)
    single(after)
    time.sleep(LEASE_S)
    single(pull)


def _working(redis: Any, two: Fleet) -> list[Host]:
    """Hosts that work on roles of reviews."""
    found = (redis.get(key) or b"" for key in redis.keys(f"{in_progress_key_prefix}review:*"))
    busy = {token.decode().partition(":")[0] for token in found}
    return [host for host in two.hosts if host.id in busy]


def _other(two: Fleet, host: Host) -> Host:
    return two.hosts[1] if host is two.hosts[0] else two.hosts[0]


def _reviewed(pull: Pull, seconds: float) -> float:
    began = time.monotonic()
    wait_for(lambda: pull.reviews and pull.check_runs and pull.check_runs[0].status == "completed", "the review", seconds)
    return time.monotonic() - began


def _record(redis: Redis, pull: Pull) -> ReviewRecord:
    raw = redis.hget(review_key((pull.check_runs[0].details_url or "").rpartition("/")[2]), "record")
    assert isinstance(raw, bytes)
    return ReviewRecord.model_validate_json(raw)


def single(pull: Pull) -> None:
    """One of each."""
    assert [(run.status, run.conclusion) for run in pull.check_runs] == [("completed", "failure")]
    assert len(pull.comments) == 1
    assert len(pull.reviews) == 1
