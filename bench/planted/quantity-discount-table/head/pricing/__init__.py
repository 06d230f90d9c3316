"""Prices of quantities."""
