"""A process that proposes until it is killed, and prints each id that was acknowledged.

`python -m tests.bot.knowledge.writer FOLDER NAME [MOST]`
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from box_review.knowledge import Proposal

from bot.knowledge import desk as desks
from bot.knowledge import pace

SCOPE = "t" + "0" * 20


def main(folder: str, name: str, most: str = "0") -> None:
    """Propose, and say so."""
    pace.PER_SCOPE = pace.PER_TENANT = 1_000_000
    desk = desks.Desk(Path(folder), needed=3, shares=False)
    for number in range(int(most)) if int(most) else itertools.count():
        proposal = Proposal(tenant=f"{name}-{number // 100}", text=f"The limit of {name} is {number} rows.")
        print(desk.propose(desks.Person(SCOPE, "k1"), proposal).id, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
