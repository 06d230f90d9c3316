"""Invoices as text."""

from __future__ import annotations

from billing.orders import Order


def invoice(order: Order) -> str:
    """Return the invoice of an order."""
    lines = [f"Order {order.number}"]
    lines += [f"{quantity} x {article}" for article, quantity in sorted(order.lines.items())]
    return "\n".join([*lines, f"Total {order.total() / 100:.2f}"])
