"""Invoices as text."""

from __future__ import annotations

from billing.orders import Order
from billing.pricing import break_down


def invoice(order: Order) -> str:
    """Return the invoice of an order."""
    lines = [f"Order {order.number}"]
    lines += [f"{quantity} x {article}" for article, quantity in sorted(order.lines.items())]
    price = break_down(order)
    lines.append(f"Tax {price.tax / 100:.2f}")
    return "\n".join([*lines, f"Total {price.total / 100:.2f}"])
