"""Reproducers, run: once at base and twice at head, each time in a fresh box without a network that is gone afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from box_review import Finding, Proof, ProofState, Reproducer, ReviewRequest
from box_review.review import REPOSITORY

from runner.checkout import Checkouts
from runner.errors import RunnerError
from sandbox.box import BoxSpec, Command, ExecResult
from sandbox.errors import SandboxError
from sandbox.limits import SIZES

RUN_S = 60.0
ALL_S = 240.0
"""For all reproducers of a review together: scripts that never end must not keep the jury from its verdict."""
MOST = 20
NOT_SHOWN = 3
_AT_ONCE = 2
_OUTPUT_BYTES = 6000  # three times this must fit into a proof
_SCRIPT = "/workspace/home/reproducer.sh"
_TO_BASE = ["git", "-c", "core.hooksPath=/dev/null", "reset", "-q", "--hard", "base"]


@dataclass(frozen=True, slots=True)
class Ran:
    """How a script ended in one box. `broke` says why it is no answer; None if it is one."""

    exit_code: int
    broke: str | None
    output: str


class Laboratory:
    """Makes boxes for reproducers. Args: where checkouts come from, and the review that asks."""

    def __init__(self, checkouts: Checkouts, request: ReviewRequest, review_id: str) -> None:
        self._checkouts, self._request = checkouts, request
        # Not the lane's label: a try that follows must not take these for its own.
        self._spec = BoxSpec(limits=SIZES["medium"], labels={"for": "proof", "of": review_id}, ttl_s=3600)
        self._ends_at = 0.0

    async def prove(self, findings: Sequence[Finding]) -> dict[str, Proof]:
        """The proofs of findings that have a reproducer, by finding; the first `MOST`. Raises SandboxError, RunnerError."""
        tried = [finding for finding in findings if finding.reproducer is not None][:MOST]
        if not tried:
            return {}
        at_once = asyncio.Semaphore(_AT_ONCE)
        self._ends_at = asyncio.get_running_loop().time() + ALL_S
        async with asyncio.TaskGroup() as tasks:
            work = {finding.id: tasks.create_task(self._prove(finding, at_once)) for finding in tried}
        return {ident: task.result() for ident, task in work.items()}

    async def _prove(self, finding: Finding, at_once: asyncio.Semaphore) -> Proof:
        assert finding.reproducer is not None  # noqa: S101 - `prove` chose it so
        async with at_once:
            try:
                base = await self._run(finding.reproducer, head=False)
                if base.broke:
                    return Proof(state=ProofState.UNPROVEN, base_exit_code=base.exit_code, output=f"at base: {_said(base)}")
                head = await self._run(finding.reproducer, head=True)
                proof = judge(finding.reproducer, base, head)
                if proof.state is ProofState.PROVEN:
                    again = await self._run(finding.reproducer, head=True)
                    if (again.exit_code == 0) != (head.exit_code == 0) or again.broke:
                        output = f"{proof.output}\nat head again: {_said(again)}"
                        proof = proof.model_copy(update={"state": ProofState.UNPROVEN, "output": output})
            except (SandboxError, RunnerError, OSError) as error:
                return Proof(state=ProofState.UNPROVEN, output=f"it could not be run: {error}"[:_OUTPUT_BYTES])
            return proof

    async def _run(self, reproducer: Reproducer, *, head: bool) -> Ran:
        box = await self._checkouts.box(self._request, self._spec)
        try:
            if not head:
                reset = await box.exec(Command(_TO_BASE, cwd=REPOSITORY), timeout_s=self._patience_s())
                if reset.exit_code != 0:
                    raise SandboxError(f"the base could not be checked out: {reset.stderr.decode('utf-8', 'replace').strip()[-300:]}")
            await box.write_file(_SCRIPT, reproducer.script.encode())
            result = await box.exec(
                Command(["/bin/sh", _SCRIPT], cwd=REPOSITORY), timeout_s=self._patience_s(), max_output_bytes=_OUTPUT_BYTES
            )
        finally:
            await box.delete()
        return _ran(result)

    def _patience_s(self) -> float:
        """Seconds that the next run may take. Raises SandboxError if there are none."""
        left_s = self._ends_at - asyncio.get_running_loop().time()
        if left_s <= 0:
            raise SandboxError(f"the reproducers of this review have taken {ALL_S:g} s together, which is all they have")
        return min(RUN_S, left_s)


def judge(reproducer: Reproducer, base: Ran, head: Ran) -> Proof:
    """What two runs show. Whatever did not run as it should proves nothing, and refutes nothing either."""
    state = ProofState.UNPROVEN
    if not (base.broke or head.broke):
        if reproducer.kind == "regression":
            state = _regression(base.exit_code, head.exit_code)
        elif head.exit_code == 0:
            state = ProofState.PROVEN if base.exit_code != 0 else ProofState.UNPROVEN
        elif head.exit_code == NOT_SHOWN:
            state = ProofState.REFUTED
    output = f"at base: {_said(base)}\nat head: {_said(head)}"
    return Proof(state=state, base_exit_code=base.exit_code, head_exit_code=head.exit_code, output=output)


def _regression(base: int, head: int) -> ProofState:
    if base != 0:
        return ProofState.UNPROVEN  # it fails without the change
    return ProofState.PROVEN if head != 0 else ProofState.REFUTED


def _ran(result: ExecResult) -> Ran:
    output = (result.stdout + result.stderr).decode("utf-8", "replace")[-_OUTPUT_BYTES:]
    broke = None
    if result.timed_out:
        broke = f"it did not end within {result.duration_s:.0f} s"
    elif result.limit:
        broke = f"it reached the {result.limit} limit of its box"
    elif result.exit_code in (126, 127):
        broke = "a program it needs is not there"
    elif result.signal:
        broke = f"it was ended by signal {result.signal}"
    return Ran(result.exit_code, broke, output)


def _said(ran: Ran) -> str:
    return f"exit code {ran.exit_code}{f' ({ran.broke})' if ran.broke else ''}\n{ran.output}".rstrip()
