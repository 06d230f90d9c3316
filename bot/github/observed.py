"""What people did with our findings, and what was told to them: rules without I/O."""

from __future__ import annotations

from typing import Literal

from box_review import Finding
from box_review.finding import ContractModel
from box_review.learned import Mute, title_words
from pydantic import Field, ValidationError

DISMISSALS, PULLS = 3, 2
"""So many dismissals, on so many pull requests, make a candidate."""
MOST_TOLD = 200
How = Literal["ignored", "reaction", "reply", "fixed"]
IN_COMMENTS: tuple[How, ...] = ("reaction", "reply")
"""Read anew from a pull request's comments each time: what was taken back there counts no more."""


class Told(ContractModel):
    """A finding that we told of, and what would mute it."""

    finding: str = Field(max_length=64)
    fingerprint: str = Field(max_length=64)
    about: Mute


class Seen(ContractModel):
    """What somebody did with a finding. `by` is empty for what a later commit did."""

    pull: int
    fingerprint: str = Field(max_length=64)
    by: str = Field(default="", max_length=100)
    how: How
    accepted: bool = False


class Tally(ContractModel):
    """What was done with findings of one kind."""

    about: Mute
    seen: tuple[Seen, ...] = ()

    @property
    def dismissals(self) -> set[tuple[int, str, str]]:
        """Pull request, finding, person: somebody who says it twice says it once."""
        return {(one.pull, one.fingerprint, one.by) for one in self.seen if not one.accepted}

    @property
    def accepted(self) -> set[int]:
        """Pull requests on which one was accepted."""
        return {one.pull for one in self.seen if one.accepted}

    @property
    def pulls(self) -> list[int]:
        """Pull requests on which one was dismissed."""
        return sorted({pull for pull, _, _ in self.dismissals})

    @property
    def enough(self) -> bool:
        """True if it is worth asking a maintainer."""
        return not self.accepted and len(self.dismissals) >= DISMISSALS and len(self.pulls) >= PULLS


def told_of(finding: Finding) -> Told | None:
    """A finding as it is remembered; None where no mute would be of it alone: several analyzers or roles speak for it."""
    evidence = {(item.tool, item.rule) for item in finding.evidence}
    try:
        if evidence:
            ((tool, rule),) = evidence
            about = Mute(tool=tool, rule=rule)
        else:
            (role,) = finding.roles
            about = Mute(role=role, title=title_words(finding.title))
    except (ValidationError, ValueError):
        return None
    return Told(finding=finding.id, fingerprint=finding.fingerprint, about=about)
