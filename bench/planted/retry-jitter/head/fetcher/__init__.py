"""Fetches documents."""
