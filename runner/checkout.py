"""Checkouts: the change under review as a snapshot, made once per host and forked into every box that works on it.

The archive is unpacked and checked out in a box, where whatever the repository holds can do no harm.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import tempfile
import time
from pathlib import Path

import structlog
from box_review import ReviewRequest
from box_review.review import REPOSITORY

from runner.artifacts import Artifacts
from runner.errors import ArtifactMissing, SourceUnusable
from sandbox.box import Box, BoxSpec, Command
from sandbox.driver import Driver
from sandbox.errors import BoxNotFound
from sandbox.limits import SIZES

log = structlog.get_logger()

UNPACK_DEADLINE_S = 600.0
UNUSED_S = 24 * 3600.0

# Nothing in the archive is trusted to be a repository: only objects and the cut of history are taken over. Submodules
# stay empty, LFS files stay pointers, and neither hooks nor filters are configured anywhere.
_UNPACK = r"""
set -eu
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_LFS_SKIP_SMUDGE=1
mkdir -p "$1.source"
tar --extract --file=- --no-same-owner --no-same-permissions -C "$1.source" objects.pack shallow
git init -q -b head --object-format="$4" "$1"
cd "$1"
git config core.hooksPath /dev/null
git config core.symlinks true
git index-pack --stdin < "$1.source/objects.pack" > /dev/null
if [ -s "$1.source/shallow" ]; then cp "$1.source/shallow" .git/shallow; fi
rm -rf "$1.source"
git update-ref refs/heads/base "$2"
git update-ref refs/heads/head "$3"
git reset -q --hard "$3"
git rev-parse -q --verify "$2^{tree}" > /dev/null
"""


class Checkouts:
    """The checkouts of one host. `folder` remembers them across restarts."""

    def __init__(self, driver: Driver, artifacts: Artifacts, folder: Path) -> None:
        self._driver = driver
        self._artifacts = artifacts
        self._folder = folder
        self._locks: dict[str, asyncio.Lock] = {}

    async def box(self, request: ReviewRequest, spec: BoxSpec) -> Box:
        """A new box with the change checked out; only the first of a change has to wait for it.

        Raises:
            SourceUnusable: the archive is missing or does not hold the two commits.
        """
        name = f"{request.source}-{request.base_sha[:16]}-{request.head_sha[:16]}"
        async with self._locks.setdefault(name, asyncio.Lock()):
            snapshot = self._remembered(name)
            if snapshot is not None:
                with contextlib.suppress(BoxNotFound):
                    return await self._driver.create(_from(snapshot, spec))
            snapshot = await self._make(request)
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / f"{name}.json").write_text(json.dumps({"snapshot": snapshot}))
        return await self._driver.create(_from(snapshot, spec))

    async def forget_unused(self) -> None:
        """Drop checkouts that no review asked for within a day; boxes made from them keep their files."""
        for file in await asyncio.to_thread(lambda: list(self._folder.glob("*.json"))):
            if time.time() - file.stat().st_mtime > UNUSED_S:
                snapshot = self._remembered(file.stem)
                file.unlink(missing_ok=True)
                self._locks.pop(file.stem, None)
                if snapshot is not None:
                    with contextlib.suppress(BoxNotFound):
                        await self._driver.delete_snapshot(snapshot)

    def _remembered(self, name: str) -> str | None:
        file = self._folder / f"{name}.json"
        try:
            snapshot = json.loads(file.read_text())["snapshot"]
            file.touch()
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return str(snapshot)

    async def _make(self, request: ReviewRequest) -> str:
        started = time.monotonic()
        box = await self._driver.create(BoxSpec(limits=SIZES["large"], labels={"for": "checkout"}, ttl_s=3600))
        try:
            await self._unpack(box, request)
            snapshot = await box.snapshot()
        finally:
            await box.delete()
        log.info("checkout made", head=request.head_sha[:12], seconds=round(time.monotonic() - started, 3))
        return snapshot

    async def _unpack(self, box: Box, request: ReviewRequest) -> None:
        kind = "sha1" if len(request.head_sha) == 40 else "sha256"
        command = Command(["/bin/sh", "-c", _UNPACK, "unpack", REPOSITORY, request.base_sha, request.head_sha, kind])
        with tempfile.TemporaryDirectory(prefix="box-review-") as folder:
            archive = Path(folder, "source")
            try:
                await self._artifacts.fetch(f"sources/{request.source}", archive)
            except ArtifactMissing as error:
                raise SourceUnusable(
                    f"the source {request.source[:12]}… was never uploaded or is gone; ask for the review again"
                ) from error
            with await asyncio.to_thread(archive.open, "rb") as file:
                result = await box.exec(command, timeout_s=UNPACK_DEADLINE_S, stdin=file)
        if result.timed_out:
            raise SourceUnusable(f"the change could not be checked out within {UNPACK_DEADLINE_S:.0f} s")
        if result.exit_code != 0:
            why = f"the {result.limit} limit of the box was reached" if result.limit else _last_line(result.stderr)
            raise SourceUnusable(f"the change could not be checked out: {why}")


def _from(snapshot: str, spec: BoxSpec) -> BoxSpec:
    return BoxSpec(snapshot=snapshot, limits=spec.limits, env=spec.env, mounts=spec.mounts, labels=spec.labels, ttl_s=spec.ttl_s)


def _last_line(stderr: bytes) -> str:
    lines = re.sub(r"[^\x20-\x7e\n]", "?", stderr.decode("ascii", "replace")).strip().splitlines()
    return lines[-1][:300] if lines else "no reason given"
