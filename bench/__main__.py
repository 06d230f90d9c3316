"""`python -m bench [PART]…`: all parts by default; a word that is none tells what there is."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

import structlog

from bench import agent_servers, api, boxes, comparison, gateway, knowledge, memory, pulls, reviews, soak, webhooks

PARTS = {
    "boxes": boxes.run,
    "api": api.run,
    "soak": soak.run,
    "gateway": gateway.run,
    "reviews": reviews.run,
    "pulls": pulls.run,
    "webhooks": webhooks.run,
    "comparison": comparison.run,
    "knowledge": knowledge.run,
    "agent_servers": agent_servers.run,
    "memory": memory.run,
}


async def main(names: list[str]) -> None:
    """Measure the parts named."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))  # warnings; figures go to stdout
    for name in names or list(PARTS):
        folder = Path(tempfile.mkdtemp(prefix="bx-"))
        folder.chmod(0o755)  # the users of boxes pass through
        try:
            await PARTS[name](folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    if unknown := [name for name in sys.argv[1:] if name not in PARTS]:
        sys.exit(f"bench: no part {unknown[0]!r}; there is {', '.join(PARTS)}")
    asyncio.run(main(sys.argv[1:]))
