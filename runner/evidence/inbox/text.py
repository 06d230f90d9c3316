"""Text of unknown origin, made fit for JSON: valid Unicode, bounded, and honest about bytes."""

from __future__ import annotations

from collections.abc import Iterable

LINE_LIMIT = 500
MESSAGE_LIMIT = 1000
NAMES_SHOWN = 5


def clip(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """`text` with lone surrogates escaped and at most `limit` characters long."""
    clean = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def show(raw: bytes, limit: int = 4096) -> str:
    """Bytes of a path or line as text; what is not UTF-8 stands as `\\xNN`."""
    return clip(raw.decode("utf-8", "backslashreplace"), limit)


def counted(paths: Iterable[bytes], one: str, many: str) -> str:
    """`3 binary files (a, b, c)`: a count, the noun and the first names, control characters escaped."""
    names = list(paths)
    shown = ", ".join(show(name, 120).encode("unicode_escape").decode("ascii") for name in names[:NAMES_SHOWN])
    rest = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return f"{len(names)} {one if len(names) == 1 else many} ({shown}{rest})"
