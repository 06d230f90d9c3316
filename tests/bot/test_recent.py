"""The index of reviews: what a tenant finds in it, and what drops out."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest_asyncio
from arq.connections import ArqRedis
from box_review import ReviewRequest
from box_review.jobs import HOSTS, KEEP_S, HostReport, repositories_key, review_key, reviews_key

from bot.reviews import Reviews
from bot.sources import Sources

SOURCE = hashlib.sha256(b"").hexdigest()


@pytest_asyncio.fixture
async def reviews(redis: ArqRedis, tmp_path: Path) -> Reviews:
    """Reviews that can be asked for: a host is alive, a source is there."""
    report = HostReport(
        id="h", version="1", capacity=1, drivers=("bubblewrap",), harnesses=("static",), roles=("security",), seen_at=time.time()
    )
    await redis.hset(HOSTS, "h", report.model_dump_json())  # type: ignore[misc]
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / SOURCE).touch()
    return Reviews(redis, Sources(str(tmp_path), 1), str(tmp_path))


def asked(repository: str = "acme/shop") -> ReviewRequest:
    return ReviewRequest(repository=repository, source=SOURCE, base_sha="1" * 40, head_sha="2" * 40, roles=("security",))


async def ids(reviews: Reviews, tenant: str = "t1", before: str = "", count: int = 10, repository: str = "") -> list[str]:
    return [record.review_id for record in await reviews.recent(tenant, before, count, repository)]


async def test_newest_come_first_and_pages_join_without_gap_or_repeat(reviews: Reviews) -> None:
    made = [await reviews.create(asked(), "t1") for _ in range(5)]
    first = await ids(reviews, count=2)
    await reviews.create(asked(), "t1")  # meanwhile
    second = await ids(reviews, before=first[-1], count=2)
    assert [*first, *second, *await ids(reviews, before=second[-1])] == made[::-1]


async def test_tenant_finds_its_own_alone(reviews: Reviews) -> None:
    mine, theirs = await reviews.create(asked("acme/shop"), "t1"), await reviews.create(asked("other/secret"), "t2")
    assert (await ids(reviews), await ids(reviews, "t2")) == ([mine], [theirs])
    assert await ids(reviews, repository="other/secret") == []
    assert await reviews.repositories("t1") == ["acme/shop"]


async def test_tenants_name_does_not_run_into_a_repositorys(reviews: Reviews) -> None:
    await reviews.create(asked("b:c"), "a")
    assert await ids(reviews, "a:b", repository="c") == []
    assert await ids(reviews, "in:a", repository="") == []


async def test_reviews_of_one_repository_are_found_by_its_name(reviews: Reviews) -> None:
    shop, site = await reviews.create(asked("acme/shop"), "t1"), await reviews.create(asked("acme/site"), "t1")
    assert await ids(reviews, repository="acme/site") == [site]
    assert await ids(reviews, repository="acme/shop") == [shop]
    assert await reviews.repositories("t1") == ["acme/site", "acme/shop"]


async def test_review_that_is_not_kept_any_more_drops_out(reviews: Reviews, redis: ArqRedis) -> None:
    gone, kept = await reviews.create(asked(), "t1"), await reviews.create(asked(), "t1")
    await redis.delete(review_key(gone))
    assert await ids(reviews) == [kept]
    assert await ids(reviews, before="rv-0000000000000000") == []


async def test_next_review_takes_those_past_their_time_out_of_the_index(reviews: Reviews, redis: ArqRedis) -> None:
    past = time.time() - KEEP_S - 1
    for key, member in ((reviews_key("t1"), "rv-old"), (reviews_key("t1", "acme/shop"), "rv-old"), (repositories_key("t1"), "old")):
        await redis.zadd(key, {member: past})
    made = await reviews.create(asked(), "t1")
    assert [await redis.zrange(key, 0, -1) for key in (reviews_key("t1"), reviews_key("t1", "acme/shop"))] == [[made.encode()]] * 2
    assert await reviews.repositories("t1") == ["acme/shop"]
    assert 0 < await redis.ttl(reviews_key("t1")) <= KEEP_S
