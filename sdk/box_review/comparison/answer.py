"""What came of one run of an agent."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MOST_TEXT = 200_000
"""Characters of an answer that are kept and scored."""
MOST_ERROR = 2_000


def _whole(text: Any) -> Any:
    """Halves of letters, which JSON and models let through, cannot be kept."""
    return text.encode("utf-8", "replace").decode() if isinstance(text, str) else text


Text = Annotated[str, BeforeValidator(_whole)]
"""Text that a model, a server or somebody's function gave."""


class Status(StrEnum):
    """How a cell stands."""

    ANSWERED = "answered"
    FAILED = "failed"
    NOT_RUN = "not_run"


class Answer(BaseModel):
    """An answer, or why there is none. This is what the cache keeps.

    Attributes:
        characters: of the whole answer; `text` holds `MOST_TEXT` of them at most.
        error: of a run that failed, in the server's words; why it was not run.
        seconds: the agent's run alone, without making the box.
        cost_usd: by the server's account; 0 where it knows no price.
        attempts: boxes it took, more than one after something that passed.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    key: str = Field(max_length=64)
    status: Status
    text: Text = Field(default="", max_length=MOST_TEXT)
    characters: int = Field(default=0, ge=0)
    error: Text = Field(default="", max_length=MOST_ERROR)
    seconds: float = Field(default=0.0, ge=0)
    input_tokens: int = Field(default=0, ge=0)
    cached_input_tokens: int = Field(default=0, ge=0)
    output_tokens: int = Field(default=0, ge=0)
    cost_usd: float = Field(default=0.0, ge=0)
    attempts: int = Field(default=1, ge=0)

    @property
    def cut(self) -> bool:
        """Whether there was more than is kept."""
        return self.characters > len(self.text)


def not_run(key: str, why: str) -> Answer:
    """Of a cell whose turn did not come."""
    return Answer(key=key, status=Status.NOT_RUN, error=why, attempts=0)
