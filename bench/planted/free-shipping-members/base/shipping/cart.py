"""What is shipped."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cart:
    """The facts about a cart that shipping depends on."""

    total_cents: int
    grams: int
    country: str
    bulky: bool = False

    def __post_init__(self) -> None:
        if self.total_cents < 0 or self.grams <= 0:
            raise ValueError("a cart has a weight and no negative total")
