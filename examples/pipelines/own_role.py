"""A reviewer of your own beside ours: `python examples/pipelines/own_role.py PATH`.

Uses the server of BOX_REVIEW_URL, or one on this machine with the model of its environment (see `.env.example`).
"""

from __future__ import annotations

import sys

from box_review.client import Client, Options
from box_review.report import render
from box_review.review import Reviewer
from box_review.serving import server

MONEY = """Find where money is lost, made or rounded: sums, prices, taxes, discounts, currencies. Follow each amount from where it comes
in to where it is shown or charged, with its unit and type. Try amounts of zero, one cent, a third, and very many."""

OPTIONS = Options(
    roles=("money", "security"),
    reviewers={"money": Reviewer(instructions=MONEY), "security": Reviewer(harness="static")},
    budget_usd=None,
)


def main(path: str) -> int:
    """Print the review; exit code 1 if something was proven."""
    with server() as address, Client(address) as client:
        record = client.review(path, options=OPTIONS)
    print(render(record, "text"))
    return any(finding.proof.state.value == "proven" for finding in record.findings)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "."))
