"""Exports tables."""
