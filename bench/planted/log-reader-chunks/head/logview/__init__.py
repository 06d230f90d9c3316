"""Looks at log files."""
