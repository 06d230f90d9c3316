"""Orders."""

from __future__ import annotations

from dataclasses import dataclass, field

from billing.pricing import unit_price, with_tax


@dataclass
class Order:
    """Quantities by article."""

    number: int
    lines: dict[str, int] = field(default_factory=dict)

    def add(self, article: str, quantity: int = 1) -> None:
        """Add a quantity of an article that has a price."""
        unit_price(article)
        self.lines[article] = self.lines.get(article, 0) + quantity

    def total(self) -> int:
        """Return what the order costs, with tax."""
        return with_tax(sum(unit_price(article) * quantity for article, quantity in self.lines.items()))
