"""Which pull request is meant."""

from __future__ import annotations

from typing import Annotated

from box_review.finding import ContractModel
from pydantic import Field, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]


class PullRef(ContractModel):
    """One pull request of a repository in which the App is installed. Ids stay when names change."""

    installation_id: int = Field(gt=0)
    repo_id: int = Field(gt=0)
    owner: Name
    repo: Name
    number: int = Field(gt=0)

    @property
    def key(self) -> str:
        """Its name in Redis."""
        return f"{self.repo_id}:{self.number}"

    @property
    def full_name(self) -> str:
        """As people write it: `acme/shop`."""
        return f"{self.owner}/{self.repo}"
