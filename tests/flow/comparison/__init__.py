"""Comparisons on a real server."""
