"""Reading the configuration."""

from __future__ import annotations


def read_patterns(text: str) -> list[str]:
    """Return the patterns for hosts from a text with one per line; # starts a comment."""
    patterns = []
    for line in text.splitlines():
        pattern = line.partition("#")[0].strip().lower()
        if "*" in pattern.removeprefix("*."):
            raise ValueError(f"* is only allowed as the first label: {pattern!r}")
        if pattern:
            patterns.append(pattern)
    return patterns
