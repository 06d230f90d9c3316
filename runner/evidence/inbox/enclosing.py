"""Which function a line stands in, told by indentation: enough for Python, and safe on any text."""

from __future__ import annotations

import re
from collections.abc import Sequence

_DEFINITION = re.compile(rb"[ \t]*(?:async[ \t]+)?def[ \t]+([A-Za-z_][A-Za-z0-9_]*)")
_FARTHEST = 2000


def function_at(lines: Sequence[bytes], number: int) -> str | None:
    """Name of the function around line `number` (1-based), None at module or class level."""
    if not 1 <= number <= len(lines):
        return None
    own = _DEFINITION.match(lines[number - 1])
    if own:
        return own[1].decode()
    depth = _indentation(lines[number - 1])
    for line in reversed(lines[max(0, number - _FARTHEST) : number - 1]):
        if depth == 0:
            return None
        if not line.strip() or _indentation(line) >= depth:
            continue
        found = _DEFINITION.match(line)
        if found:
            return found[1].decode()
        depth = _indentation(line)
    return None


def _indentation(line: bytes) -> int:
    expanded = line.expandtabs(8)
    return len(expanded) - len(expanded.lstrip())
