"""Billing: pricing knows nothing of orders, orders use pricing."""
