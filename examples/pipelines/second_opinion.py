"""Two models look for the same, and only what both of them claim or one of them proves is told: `second_opinion.py PATH MODEL MODEL`."""

from __future__ import annotations

import sys

from box_review import Finding, ReviewRecord
from box_review.client import Client, Options
from box_review.review import Reviewer
from box_review.serving import server

BUGS = "Find where the change does the wrong thing. Show each with a reproducer that passes at base and fails at head."


def agreed(record: ReviewRecord) -> list[Finding]:
    """Findings of both, and proven ones; the jury has already made one finding of the same one seen twice."""
    return [finding for finding in record.findings if len(finding.roles) > 1 or finding.proof.state.value == "proven"]


def main(path: str, first: str, second: str) -> int:
    """Print a line for each finding that is left."""
    opinions = {"first": Reviewer(model=first, instructions=BUGS), "second": Reviewer(model=second, instructions=BUGS)}
    with server() as address, Client(address) as client:
        record = client.review(path, options=Options(roles=tuple(opinions), reviewers=opinions))
    for finding in agreed(record):
        print(f"{finding.path}:{finding.start_line} {finding.proof.state}: {finding.title} (by {' and '.join(finding.roles)})")
    print(f"{len(agreed(record))} of {len(record.findings)} findings; {record.usage.output_tokens} tokens written")
    return 0 if record.status.value == "completed" else 3


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
