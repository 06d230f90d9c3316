"""Runs a hook for every push."""
