"""Payloads of the jobs of the GitHub queue."""

from __future__ import annotations

from typing import Literal

from box_review.finding import ContractModel
from box_review.review import ReviewId

from bot.github.decide import Said
from bot.github.pull import PullRef


class Tend(ContractModel):
    """Bring GitHub in line with a pull request's state."""

    version: Literal[1] = 1
    key: str


class Prepare(ContractModel):
    """Get the commits of a round, and ask for its review."""

    version: Literal[1] = 1
    pull: PullRef
    review_id: ReviewId


class AskJob(ContractModel):
    """Answer a question in a pull request."""

    version: Literal[1] = 1
    pull: PullRef
    said: Said
    review_id: ReviewId
    role: str
    text: str


class UninstalledJob(ContractModel):
    """Stop what runs for an installation that is gone."""

    version: Literal[1] = 1
    installation_id: int
