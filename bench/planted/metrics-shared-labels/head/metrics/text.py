"""Metrics as text."""

from __future__ import annotations

from metrics.registry import Labels, Registry


def label_text(labels: Labels) -> str:
    """Return labels as they are written after the name."""
    if not labels:
        return ""
    pairs = []
    for name, value in labels:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        pairs.append(f'{name}="{escaped}"')
    return "{" + ",".join(pairs) + "}"


def render(registry: Registry) -> str:
    """Return all counters of a registry, one per line."""
    return "".join(f"{name}{label_text(labels)} {value}\n" for name, labels, value in registry.samples())
