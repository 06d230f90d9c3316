"""The command that prints the price list: python -m billing.pricelist."""

from __future__ import annotations

from billing.pricing import PRICES, with_tax


def main() -> None:
    """Print all prices with tax."""
    for article, cents in sorted(PRICES.items()):
        print(f"{article:<10} {with_tax(cents) / 100:>8.2f}")


if __name__ == "__main__":
    main()
