"""What one reviewer hands over to the jury: kept in the artifact store until the review is gone."""

from __future__ import annotations

from box_review import ChangedFile, Dropped, Finding, Usage
from pydantic import BaseModel, ConfigDict

from runner.artifacts import Artifacts


class RoleResult(BaseModel):
    """Findings of one role, what it left out itself and why, and what it did not look at."""

    model_config = ConfigDict(frozen=True)

    role: str
    findings: tuple[Finding, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    not_covered: tuple[str, ...] = ()
    changed_files: tuple[ChangedFile, ...] = ()
    usage: Usage = Usage()
    model: str | None = None
    session_id: str = ""

    async def save(self, artifacts: Artifacts, review_id: str) -> None:
        """Keep it; a second try of the same role replaces the first."""
        await artifacts.write(_name(review_id, self.role), self.model_dump_json().encode())

    @classmethod
    async def load(cls, artifacts: Artifacts, review_id: str, role: str) -> RoleResult:
        """What a role handed over. Raises ArtifactMissing."""
        return cls.model_validate_json(await artifacts.read(_name(review_id, role)))


def _name(review_id: str, role: str) -> str:
    return f"reviews/{review_id}/roles/{role}.json"
