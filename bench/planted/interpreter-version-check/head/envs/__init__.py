"""Environments and their interpreters."""
