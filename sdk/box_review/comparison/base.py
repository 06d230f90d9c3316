"""The one frozen box that all answers start from: made, set up, kept as a snapshot, and known by the digest of its contents."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, Field
from upstash_box import BoxError, Snapshot

from box_review.boxes import Box, Boxes
from box_review.client import Address
from box_review.comparison.plan import Ask, Plan
from box_review.comparison.running import FAULTS, Ground, may_pass, put
from box_review.comparison.store import Store
from box_review.errors import InputError, ServerUnavailable
from box_review.sanitize import visible

# Everything that belongs to the box's user on its own file system: type, mode, path and target of each, and the contents of files. Times do
# not count, nor does what the system mounts.
_LISTED = r"""
export LC_ALL=C
listed() { find / /workspace/home -xdev \( -path /proc -o -path /dev -o -path /sys \) -prune -o -user "$(id -u)" "$@"; }
{ listed -printf '%y %m %p %l\0' | sort -zu; listed -type f -print0 | sort -zu | xargs -0r sha256sum -z; } | sha256sum
"""
_SAID = 2000
PATIENCE_S = 30.0


class Kept(BaseModel):
    """The snapshot of a comparison that has not come to its end."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    recipe: str = Field(max_length=64)
    snapshot_id: str = Field(max_length=200)


@contextlib.contextmanager
def ground(plan: Plan, address: Address, store: Store) -> Iterator[Ground]:
    """The snapshot to start from. A killed comparison's is taken up, and what else it left is removed.

    It stays on the server until `done_with`, so that what is interrupted, or short of budget, can go on from the same contents.

    Raises:
        InputError: a command of the set-up fails, or the server has no such harness.
        ServerUnavailable: the server does not answer.
    """
    boxes = Boxes(address)
    try:
        _await_host(boxes, store.label)
        _sweep(boxes, address, store)
        snapshot_id = _taken_up(plan, boxes, address, store) or _made(plan, boxes, store)
        digest = _look(plan, boxes, store.label, snapshot_id)
    except FAULTS as error:
        raise _said(error, address) from error
    spec = plan.spec
    yield Ground(boxes, store.label, snapshot_id, digest, spec.network, spec.timeout_s, spec.retries)


def done_with(ready: Ground, address: Address, store: Store) -> None:
    """Delete the snapshot: every cell has been run."""
    _forget(ready.snapshot_id, address)
    (store.folder / "base" / "kept.json").unlink(missing_ok=True)


def _await_host(boxes: Boxes, label: str) -> None:
    """A server that has just started answers before the host of its boxes does, which puts in order what was killed. Raises `FAULTS`."""
    ends = time.monotonic() + PATIENCE_S
    while True:
        try:
            boxes.list(label)
        except BoxError as error:
            if (error.status_code or 0) < 500 or time.monotonic() > ends:
                raise
            time.sleep(0.2)
        else:
            return


def _sweep(boxes: Boxes, address: Address, store: Store) -> None:
    """Remove what a killed comparison left: boxes, and a snapshot that it had no time to write down."""
    kept = store.get("base", "kept", Kept)
    for left in boxes.list(store.label):
        box = boxes.get(left.id)
        with contextlib.closing(box):
            unknown = [made.id for made in box.list_snapshots() if kept is None or made.id != kept.snapshot_id]
        for snapshot_id in unknown:
            _forget(snapshot_id, address)
    remove_left(boxes, store.label)


def _forget(snapshot_id: str, address: Address) -> None:
    with contextlib.suppress(*FAULTS):
        Box.delete_snapshots(snapshot_ids=[snapshot_id], base_url=address.url, api_key=address.api_key)


def remove_left(boxes: Boxes, label: str) -> None:
    """Delete all boxes with a label. Raises `FAULTS`."""
    left = [box.id for box in boxes.list(label)]
    if left:
        boxes.delete(left)


def _taken_up(plan: Plan, boxes: Boxes, address: Address, store: Store) -> str | None:
    """The snapshot of a comparison that was interrupted, if it was made in the same way and is still there."""
    kept = store.get("base", "kept", Kept)
    if kept is None:
        return None
    if kept.recipe != _recipe(plan):
        _forget(kept.snapshot_id, address)
        return None
    try:
        with _closing(boxes.from_snapshot(kept.snapshot_id, labels=[store.label])):
            return kept.snapshot_id
    except BoxError as error:
        if error.status_code in (400, 404):
            return None
        raise


def _made(plan: Plan, boxes: Boxes, store: Store) -> str:
    setup = plan.spec.setup
    with _closing(boxes.create(labels=[store.label], timeout=setup.timeout_s * 1000)) as box:
        put(box, dict(plan.setup_files))
        for number, command in enumerate(setup.commands):
            run = box.exec.command(command)
            if run.exit_code != 0:
                said = visible((run.stderr or run.stdout).strip()[-_SAID:], multiline=True)
                raise InputError(f"setup.commands.{number} ended with {run.exit_code}: {said or 'it said nothing'}")
        made: Snapshot = box.snapshot(name=store.label)
        store.put("base", "kept", Kept(recipe=_recipe(plan), snapshot_id=made.id))
        return made.id


def _look(plan: Plan, boxes: Boxes, label: str, snapshot_id: str) -> str:
    """The digest of a box from the snapshot, and whether the server can do what is asked: each agent's box is made once."""
    ground = Ground(boxes, label, snapshot_id, "", plan.spec.network)
    parts = [*(("models", one) for one in plan.spec.models), *(("judges", one) for one in plan.spec.judges)]
    digest, seen = "", set()
    for kind, agent in parts:
        sort = (agent.harness, agent.custom_harness)
        if sort in seen:
            continue
        seen.add(sort)
        try:
            made = ground.box(Ask(agent, "x"))
        except BoxError as error:
            if may_pass(error):
                raise
            raise InputError(f"{kind}.{agent.id}: {visible(str(error))}") from error
        with _closing(made) as box:
            digest = digest or digest_of(box)
    return digest


def digest_of(box: Box) -> str:
    """SHA-256 over what a box holds of its own; the same for a box that was made again in the same way.

    Raises:
        InputError: something in the box cannot be read, or the box lacks `find` and `sha256sum` of GNU.
    """
    run = box.exec.command(_LISTED)
    digest = run.stdout.split(" ")[0]
    if run.exit_code != 0 or run.stderr.strip() or len(digest) != 64:
        raise InputError(f"the contents of the base box cannot be summed up: {visible(run.stderr.strip()[-_SAID:], multiline=True)}")
    return digest


def _recipe(plan: Plan) -> str:
    files = {path: hashlib.sha256(data).hexdigest() for path, data in plan.setup_files.items()}
    parts: list[Any] = [list(plan.spec.setup.commands), files]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@contextlib.contextmanager
def _closing(box: Box) -> Iterator[Box]:
    """A box that is deleted at the end."""
    try:
        yield box
    finally:
        with contextlib.suppress(*FAULTS):
            box.delete()
        box.close()


def _said(error: Exception, address: Address) -> Exception:
    if isinstance(error, InputError):
        return error
    if isinstance(error, BoxError) and error.status_code is not None:
        said = visible(str(error))
        return InputError(said) if error.status_code < 500 else ServerUnavailable(f"the server failed: {said}")
    if isinstance(error, BoxError | httpx.HTTPError):
        return ServerUnavailable(f"no answer from the server at {address.url}: {visible(str(error)) or type(error).__name__}")
    return error
