"""Reproducers in real boxes: whatever they do, they end, and nothing of them is left."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from box_review import Finding, Proof, Reproducer, ReviewRequest, Severity
from box_review.source import find_change, pack

from runner.artifacts import Artifacts
from runner.checkout import Checkouts
from runner.jury import proof
from runner.jury.proof import Laboratory
from sandbox.bubblewrap import BubblewrapDriver
from sandbox.driver import Driver
from sandbox.limits import SIZES
from tests.repositories import Repository


@pytest_asyncio.fixture
async def bench(data_dir: Path, repository: Callable[..., Repository]) -> AsyncIterator[tuple[Driver, Laboratory]]:
    change = find_change(repository({"a.py": "x = 1\n"}, {"a.py": "x = 2\n"}).path)
    (data_dir / "artifacts/sources").mkdir(parents=True)
    with pack(change) as source:
        (data_dir / "artifacts/sources" / source.sha256).write_bytes(source.archive.read_bytes())
        request = ReviewRequest(repository="x", source=source.sha256, base_sha=change.base_sha, head_sha=change.head_sha)
    async with BubblewrapDriver(data_dir / "d") as driver:
        checkouts = Checkouts(driver, Artifacts(str(data_dir / "artifacts")), data_dir / "checkouts")
        yield driver, Laboratory(checkouts, request, "rv-0000000000000001")
        assert driver.boxes() == []


async def tried(bench: tuple[Driver, Laboratory], script: str, kind: str = "regression") -> Proof:
    words = {"title": "t", "why": "w", "scenario": "s", "topic": "x", "confidence": 0.5, "severity": Severity.HIGH}
    made = Reproducer(kind=kind, script=script, expects="e")  # type: ignore[arg-type]
    claim = Finding(id="F-1", roles=("quality",), path="a.py", start_line=1, end_line=1, reproducer=made, **words)  # type: ignore[arg-type]
    return (await bench[1].prove([claim]))["F-1"]


@pytest.mark.parametrize(
    ("script", "kind", "state"),
    [
        ("grep -q 'x = 1' a.py", "regression", "proven"),
        ("grep -q x a.py", "regression", "refuted"),
        ("grep -q 'x = 2' a.py || exit 3", "effect", "proven"),
        ("exit 3", "effect", "refuted"),
        ("test -e /tmp/n && exit 0; touch /tmp/n; grep -q 'x = 1' a.py", "regression", "proven"),  # each box is fresh
        ("no-such-program", "regression", "unproven"),
        ("kill -9 $$", "regression", "unproven"),
    ],
)
async def test_script_is_run_at_base_and_head(bench: tuple[Driver, Laboratory], script: str, kind: str, state: str) -> None:
    assert (await tried(bench, script, kind)).state == state


async def test_script_that_never_ends_proves_nothing(bench: tuple[Driver, Laboratory], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "RUN_S", 1.0)
    outcome = await tried(bench, "grep -q 'x = 1' a.py && exit 0; trap '' TERM; while :; do :; done")
    assert (outcome.state, "did not end within" in outcome.output) == ("unproven", True)


async def test_script_that_fills_the_disk_proves_nothing(bench: tuple[Driver, Laboratory], monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    small = replace(SIZES["medium"], disk_bytes=32 << 20)
    monkeypatch.setitem(proof.SIZES, "medium", small)  # type: ignore[arg-type]
    bench[1]._spec = replace(bench[1]._spec, limits=small)
    fill = "i=0; while [ $i -lt 100 ]; do i=$((i+1)); head -c 4M /dev/zero > f$((i % 20)) || exit 1; sleep 0.05; done; exit 1"
    outcome = await tried(bench, f"grep -q 'x = 1' a.py && exit 0; {fill}")
    assert outcome.state == "unproven", outcome


async def test_script_that_tries_the_network_reaches_nothing(bench: tuple[Driver, Laboratory]) -> None:
    reach = "import socket; socket.create_connection(('1.1.1.1', 80), 3)"
    outcome = await tried(bench, f'grep -q "x = 1" a.py && exit 3; python3 -c "{reach}" && exit 0; exit 3', "effect")
    assert outcome.state == "refuted", outcome


async def test_flood_of_output_is_cut(bench: tuple[Driver, Laboratory]) -> None:
    outcome = await tried(bench, "head -c 30M /dev/zero | tr '\\0' x; grep -q 'x = 1' a.py")
    assert (outcome.state, len(outcome.output) < 20_000) == ("proven", True)
