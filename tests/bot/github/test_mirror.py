"""Mirrors: what is here is not fetched again, and nothing grows without end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from box_review.errors import InputError

from bot.github import mirror
from bot.github.mirror import Mirrors
from tests.repositories import Repository

LARGE = "".join(f"{number * 7919 % 1000003:x}" for number in range(200_000))


def packs(bare: Path) -> list[int]:
    return sorted(file.stat().st_size for file in bare.glob("objects/pack/*.pack"))


async def test_push_costs_what_it_brings(repository: Callable[..., Repository], tmp_path: Path) -> None:
    made = repository({"large.txt": LARGE, "a": "1\n"}, {"a": "2\n"})
    made.git("config", "uploadpack.allowAnySHA1InWant", "true")
    mirrors, url = Mirrors(tmp_path / "mirrors"), f"file://{made.path}"
    bare = await mirrors.fetch(7, url, "token", [made.git("rev-parse", "HEAD^"), made.git("rev-parse", "HEAD")])
    (first,) = packs(bare)
    for number in range(3):
        await mirrors.fetch(7, url, "token", [made.commit({"a": f"{number}\n"})])
    assert len(packs(bare)) == 4
    assert sum(packs(bare)) < first + 10_000


async def test_names_and_packs_are_bounded(repository: Callable[..., Repository], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "MOST_NAMES", 3)
    monkeypatch.setattr(mirror, "MOST_PACKS", 2)
    made = repository({"a": "1\n"})
    made.git("config", "uploadpack.allowAnySHA1InWant", "true")
    mirrors = Mirrors(tmp_path / "mirrors")
    for number in range(6):
        bare = await mirrors.fetch(7, f"file://{made.path}", "token", [made.commit({"a": f"{number}\n"})])
    assert len(packs(bare)) <= 3
    assert len(list(bare.glob("refs/box/*"))) + (bare / "packed-refs").exists() <= 4


async def test_commit_that_is_gone_is_an_error_that_says_so(repository: Callable[..., Repository], tmp_path: Path) -> None:
    made = repository({"a": "1\n"})
    with pytest.raises(InputError, match="git could not read the commits"):
        await Mirrors(tmp_path / "mirrors").fetch(7, f"file://{made.path}", "token", ["f" * 40])
