"""Counts what accounts do."""
