"""Specs, and what is looked at."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import httpx
from box_review.comparison import Comparison
from box_review.comparison.answer import Status

from tests.fakes.script import Asked
from tests.server import Ended, Server, box_review


def custom(*names: str, program: str = "agent.py") -> list[dict[str, Any]]:
    """Agents that are a program in the base box."""
    run = {"command": "python3", "args": [f"/workspace/home/{program}"]}
    return [{"id": name, "harness": "custom", "model": name, "custom_harness": run} for name in names]


def spec(*names: str, count: int = 4, **more: Any) -> dict[str, Any]:
    """A spec in which these agents are asked about so many numbers."""
    inputs = [
        {"id": f"i{number}", "text": str(number), "expected": f"x{number}", "sources": [{"text": f"Of x{number}."}]}
        for number in range(count)
    ]
    return {
        "models": custom(*names),
        "prompts": [{"id": "p", "text": "Number {input} please"}],
        "inputs": inputs,
        "setup": {"files": {"agent.py": "agent.py", "judge.py": "judge.py"}},
        "scores": ["exact_match", "hallucination_pct"],
        **more,
    }


def statuses(found: Comparison) -> dict[str, Counter[Status]]:
    """How the cells of each model stand."""
    return {model.id: Counter(cell.answer.status for cell in found.cells if cell.model == model.id) for model in found.models}


def run(served: Server, *arguments: str | Path) -> Ended:
    """The command line against the server under test."""
    return box_review("compare", *arguments, BOX_REVIEW_URL=served.url, BOX_REVIEW_API_KEY=served.address.api_key)


def snapshots(served: Server) -> set[str]:
    """The names of all there are."""
    headers = {"X-Box-Api-Key": served.address.api_key}
    return {made["name"] for made in httpx.get(f"{served.url}/v2/box/snapshots", headers=headers, trust_env=False).json()["snapshots"]}


def number(asked: Asked) -> str:
    """The number that a request of a comparison is about."""
    return asked.said.partition("Number ")[2].partition(" ")[0]
