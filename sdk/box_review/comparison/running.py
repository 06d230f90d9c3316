"""One question to one agent, in a box of its own that is deleted afterwards."""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import httpx
from upstash_box import BoxError

from box_review.boxes import Box, Boxes
from box_review.comparison.answer import MOST_ERROR, MOST_TEXT, Answer, Status
from box_review.comparison.plan import Ask
from box_review.sanitize import visible

HOME = "/workspace/home"
_MAY_PASS = re.compile(r"answered (0|429|5\d\d)\b|gave no whole answer|the server stopped meanwhile")
_LONGEST_PAUSE_S = 30.0
FAULTS = (BoxError, httpx.HTTPError, OSError, ValueError)
"""What the official client raises, beside its own error."""


@dataclass(frozen=True)
class Ground:
    """What all boxes of a comparison start from.

    Attributes:
        label: of all its boxes.
        digest: of the snapshot's contents.
    """

    boxes: Boxes
    label: str
    snapshot_id: str
    digest: str
    network: str = "deny-all"
    timeout_s: float = 300.0
    retries: int = 2
    stopping: Event = field(default_factory=Event)

    def box(self, ask: Ask) -> Box:
        """A new box for a question. Raises `FAULTS`."""
        agent: dict[str, Any] = {"harness": ask.agent.harness, "model": ask.agent.model or "custom"}
        if ask.agent.custom_harness is not None:
            program = ask.agent.custom_harness
            agent["custom_harness"] = {"command": program.command, "args": [*program.args]}
        return self.boxes.from_snapshot(self.snapshot_id, agent=agent, labels=[self.label], network_policy={"mode": self.network})


def put(box: Box, files: dict[str, bytes]) -> None:
    """Bring files into a box. Raises `FAULTS`."""
    if not files:
        return
    with tempfile.TemporaryDirectory() as folder:
        entries = []
        for number, (path, data) in enumerate(files.items()):
            beside = Path(folder) / str(number)
            beside.write_bytes(data)
            entries.append({"path": str(beside), "destination": f"{HOME}/{path}"})
        box.files.upload(entries)  # type: ignore[arg-type]  # a TypedDict


def ask_agent(ground: Ground, ask: Ask, share_usd: float | None) -> Answer:
    """Ask once, and again in a new box after what may pass. Whatever happens is an answer."""
    key = ask.key(ground.digest)
    cost, attempt = 0.0, 0
    while True:
        attempt += 1
        left = None if share_usd is None else max(0.0, share_usd - cost)
        answer, passes = _attempt(ground, ask, key, left)
        cost += answer.cost_usd
        answer = answer.model_copy(update={"cost_usd": cost, "attempts": attempt})
        spent = share_usd is not None and cost >= share_usd
        if not passes or attempt > ground.retries or spent or ground.stopping.wait(min(_LONGEST_PAUSE_S, 0.5 * 2**attempt)):
            return answer


def _attempt(ground: Ground, ask: Ask, key: str, share_usd: float | None) -> tuple[Answer, bool]:
    """The answer, and whether its failure may pass."""
    box = None
    try:
        box = ground.box(ask)
        if ground.stopping.is_set():  # made after all others were deleted
            return _failed(key, "interrupted"), False
        put(box, dict(ask.files))
        return _run(ground, box, ask, key, share_usd)
    except FAULTS as error:
        return _failed(key, str(error) or type(error).__name__), may_pass(error)
    finally:
        if box is not None:
            with contextlib.suppress(*FAULTS):  # what stays is found by its label
                box.delete()
            box.close()


def _run(ground: Ground, box: Box, ask: Ask, key: str, share_usd: float | None) -> tuple[Answer, bool]:
    options = ask.agent.options if share_usd is None else {**ask.agent.options, "maxBudgetUsd": share_usd}
    began = time.monotonic()
    try:
        run = box.agent.run(
            prompt=ask.prompt,
            response_schema=dict(ask.json_schema) if ask.json_schema is not None else None,
            options=options or None,
            timeout=ground.timeout_s * 1000,
        )
    except FAULTS as error:
        return _failed_run(ground, box, key, error, time.monotonic() - began)
    seconds = time.monotonic() - began
    text = run.result if isinstance(run.result, str) else json.dumps(run.result, ensure_ascii=False, indent=1)
    return Answer(
        key=key,
        status=Status.ANSWERED,
        text=text[:MOST_TEXT],
        characters=len(text),
        seconds=round(seconds, 4),
        input_tokens=run.cost.input_tokens,
        cached_input_tokens=run.cost.cached_input_tokens,
        output_tokens=run.cost.output_tokens,
        cost_usd=run.cost.total_usd,
    ), False


def _failed_run(ground: Ground, box: Box, key: str, error: Exception, seconds: float) -> tuple[Answer, bool]:
    """A failed run as the server has it in its book: what it cost, and why it failed. Without an entry the way there is at fault."""
    said = str(error) or type(error).__name__
    if said in ("Run timed out", "Request timeout"):
        said = f"no answer within {ground.timeout_s:g} s"
    update: dict[str, Any] = {"seconds": round(seconds, 4)}
    ended = False
    with contextlib.suppress(*FAULTS):
        for run in box.list_runs():
            if run.type == "agent":
                ended = run.status in ("failed", "cancelled")
                update |= {
                    "input_tokens": run.input_tokens,
                    "output_tokens": run.output_tokens,
                    "cached_input_tokens": run.cached_input_tokens or 0,
                    "cost_usd": run.cost_usd,
                }
                break
    timed_out = said.startswith("no answer within")
    passes = not timed_out and (_MAY_PASS.search(said) is not None if ended else may_pass(error))
    return _failed(key, said).model_copy(update=update), passes


def may_pass(error: Exception) -> bool:
    """Whether a server could answer otherwise a moment later."""
    status = getattr(error, "status_code", None)
    return status is None or status in (409, 429) or status >= 500


def _failed(key: str, said: str) -> Answer:
    return Answer(key=key, status=Status.FAILED, error=visible(said)[:MOST_ERROR])
