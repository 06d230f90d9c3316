"""Headers put into requests on their way out, so that a box can use a secret it never holds."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sandbox.gateway.errors import BadHeaders, BadName
from sandbox.gateway.names import most_specific, parse_pattern

Headers = tuple[tuple[bytes, bytes], ...]

HOP_BY_HOP = frozenset(
    b"connection http2-settings keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding "
    b"upgrade".split()
)
_FRAMING = HOP_BY_HOP | {b"host", b"content-length", b"content-encoding", b"expect", b"trailers"}
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")


class AttachedHeaders:
    """Which headers go to which hosts. The values are secrets: nothing here prints them.

    Args:
        headers: by host pattern (exact or `*.suffix`) and header name.

    Raises:
        BadHeaders: a pattern that is none, a header that frames the message, a value with line breaks or other
            control characters. The text names the header, not its value.
    """

    def __init__(self, headers: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self._headers = {_pattern(pattern): _checked(values) for pattern, values in (headers or {}).items()}

    def for_host(self, host: str) -> Headers:
        """The headers of the most specific pattern that fits a canonical host; empty if none does."""
        pattern = most_specific(list(self._headers), host)
        return () if pattern is None else self._headers[pattern]

    def __repr__(self) -> str:
        return f"AttachedHeaders({', '.join(self._headers)})"


def end_to_end(headers: Headers) -> Headers:
    """What of a message's headers may be passed on: not those of one hop, nor those that `Connection` names."""
    named = {name.strip().lower() for key, value in headers if key.lower() == b"connection" for name in value.split(b",")}
    return tuple((name, value) for name, value in headers if name.lower() not in HOP_BY_HOP | named)


def replaced(headers: Headers, by: Headers) -> Headers:
    """`headers` without those that `by` names, and `by`."""
    names = {name.lower() for name, _ in by}
    return (*((name, value) for name, value in headers if name.lower() not in names), *by)


def _pattern(text: str) -> str:
    try:
        return parse_pattern(text)
    except BadName as error:
        raise BadHeaders(f"attach_headers: {error}") from error


def _checked(values: Mapping[str, str]) -> Headers:
    for name, value in values.items():
        if not _NAME.fullmatch(name):
            raise BadHeaders(f"attach_headers: {name[:80]!a} is not a header name")
        if name.lower().encode() in _FRAMING:
            raise BadHeaders(f"attach_headers: {name} belongs to the message's framing and cannot be attached")
        if not _VALUE.fullmatch(value):
            raise BadHeaders(f"attach_headers: the value of {name} has line breaks, control characters or is not ASCII")
    if len({name.lower() for name in values}) < len(values):
        raise BadHeaders("attach_headers: a header is named twice in different case")
    return tuple((name.encode(), value.strip().encode()) for name, value in values.items())
