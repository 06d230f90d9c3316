"""How to start the collector in a box: what to run, and what to write to its standard input."""

from __future__ import annotations

import json
from collections.abc import Collection

from box_review.review import REPOSITORY

TOOLS = "/opt/box-review/tools"
"""Where the box sees `Toolbox.tools`, read-only."""
EVIDENCE = "/opt/box-review/evidence"
"""Where the box sees `Toolbox.evidence`, read-only."""
PYTHON = "/usr/bin/python3"
DEADLINE_S = 120.0


def collector_argv() -> list[str]:
    """The command; isolated (`-I`) from the box's environment and folders, and writing no caches (`-B`)."""
    return [PYTHON, "-I", "-B", f"{EVIDENCE}/collect.py"]


def collector_request(
    role: str,
    base_sha: str,
    head_sha: str,
    *,
    deadline_s: float = DEADLINE_S,
    only_paths: Collection[str] | None = None,
    tools: Collection[str] | None = None,
    ignore: Collection[str] = (),
) -> bytes:
    """The request for the collector's standard input.

    Args:
        role: whose analyzers to run; one of `wording.ROLES`.
        base_sha: full id of the commit compared against.
        head_sha: full id of the commit under review.
        deadline_s: seconds after which tools still running are stopped; the report then says so.
        only_paths: paths, as in a report's `changed_files`, to report on; None for all.
        tools: names of tools to run instead of the role's, as in a result's `tool`; None for the role's.
        ignore: patterns of paths that are not looked at.
    """
    request: dict[str, object] = {
        "repo": REPOSITORY,
        "base_sha": base_sha,
        "head_sha": head_sha,
        "role": role,
        "tools_dir": TOOLS,
        "deadline_s": deadline_s,
        "ignore": list(ignore),
    }
    if only_paths is not None:
        request["only_paths"] = sorted(only_paths)
    if tools is not None:
        request["tools"] = sorted(tools)
    return json.dumps(request).encode()
