"""Sends newsletters."""
