"""Cheap first: analyzers alone, then agents within a budget, then a question to the agent that found the worst: `staged.py PATH`."""

from __future__ import annotations

import sys
from pathlib import Path

from box_review.client import Client, Options
from box_review.follow_up import answers
from box_review.serving import server
from box_review.source import find_change


def main(path: str) -> int:
    """Print what each stage came to."""
    change = find_change(Path(path))
    with server() as address, Client(address) as client:
        quick = client.review_change(change, options=Options(harness="static"))
        print(f"analyzers: {len(quick.findings)} findings in {quick.duration_s:.1f} s")
        if quick.worst() == "critical":
            print("that is enough to send it back")
            return 1
        deep = client.review_change(change, options=Options(roles=("quality",), timeout_s=600))
        print(f"agents: {len(deep.findings)} findings in {deep.duration_s:.1f} s, {deep.usage.cost_usd:.2f} USD")
        if not deep.findings or not deep.roles[0].session_id:
            return 0
        worst = deep.findings[0]
        question = f"How would you mend {worst.id}, {worst.title}? Answer with the corrected lines alone."
        for kind, data in answers(address, deep.review_id, "quality", question):
            if kind == "done":
                print(f"{worst.path}:{worst.start_line}: {data['output']}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "."))
