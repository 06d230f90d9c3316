"""Runs the collector in a box and reads its report."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from box_review import ReviewRequest

from runner.evidence.errors import CollectionFailed
from runner.evidence.report import MAX_BYTES, Report, parse_report
from runner.evidence.request import EVIDENCE, TOOLS, collector_argv, collector_request
from runner.evidence.toolbox import Toolbox
from sandbox.box import Box, Command, Mount

GRACE_S = 5.0


def mounts(toolbox: Toolbox) -> tuple[Mount, ...]:
    """What a box needs to see of the host."""
    return Mount(toolbox.tools, TOOLS), Mount(toolbox.evidence, EVIDENCE)


@dataclass(frozen=True)
class Question:
    """What to collect: the tools of a role, or those named (then for all roles); `only_paths` None looks at every changed file."""

    role: str
    tools: Collection[str] | None = None
    only_paths: Collection[str] | None = None


async def collect(box: Box, request: ReviewRequest, question: Question, *, deadline_s: float) -> Report:
    """Collect evidence in a box whose checkout stands at the head.

    Args:
        deadline_s: seconds the tools have; what they have not finished is said in the report.

    Raises:
        CollectionFailed: the collector ended without a report, or the box's limits ended it.
        BrokenReport: what it printed is no report.
    """
    asked = collector_request(
        question.role,
        request.base_sha,
        request.head_sha,
        deadline_s=deadline_s,
        only_paths=question.only_paths,
        tools=question.tools,
        ignore=request.ignore_paths,
    )
    result = await box.exec(Command(collector_argv()), timeout_s=deadline_s + GRACE_S, stdin=asked, max_output_bytes=MAX_BYTES)
    if result.timed_out:
        raise CollectionFailed(f"evidence was not collected within {deadline_s:.0f} s")
    if result.limit and result.exit_code != 0:
        raise CollectionFailed(f"the {result.limit} limit of the box ended the collection of evidence")
    return parse_report(result.stdout, result.exit_code, result.stderr)
