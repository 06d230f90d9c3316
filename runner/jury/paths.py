"""Patterns of paths, as git's `glob` pathspecs read them: `*` ends at a slash, `**` does not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

_PART = re.compile(r"\*\*/|/\*\*$|\*\*|\*|\?|\[[!^]?\]?[^\]]*\]|.", re.DOTALL)
_MEANINGS = {"**/": "(?:.*/)?", "/**": "/.*", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def matches(path: str, patterns: Iterable[str]) -> bool:
    """True if a path matches one of the patterns; one without wildcards that names a folder means all below it."""
    return any(re.fullmatch(f"(?s:{''.join(_translated(pattern))})", path) or path.startswith(f"{pattern}/") for pattern in patterns)


def _translated(pattern: str) -> Iterator[str]:
    for part in _PART.findall(pattern):
        if part in _MEANINGS:
            yield _MEANINGS[part]
        elif part.startswith("[") and len(part) > 1:
            inner = part[1:-1].replace("\\", "\\\\")
            yield f"[^{inner[1:]}]" if inner[:1] in ("!", "^") else f"[{inner}]"
        else:
            yield re.escape(part)
