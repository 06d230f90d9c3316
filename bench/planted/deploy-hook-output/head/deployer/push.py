"""What a push event means."""

from __future__ import annotations

import re
from pathlib import Path

from deployer.hooks import HookError, run_hook

REVISION = re.compile(r"[0-9a-f]{40}")


def handle(event: dict[str, str], hook: Path) -> str:
    """Run the hook for one push event and return the new state of the site."""
    ref, revision = event.get("ref", ""), event.get("after", "")
    if not ref.startswith("refs/heads/") or not REVISION.fullmatch(revision):
        return "ignored"
    try:
        run_hook(hook, ref.removeprefix("refs/heads/"), revision)
    except HookError as error:
        return f"failed: {error}"
    return "deployed"
