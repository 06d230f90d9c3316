"""How a process logs; only `__main__` modules call this."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import structlog
from pydantic import BaseModel, SecretStr
from structlog.typing import EventDict, Processor, WrappedLogger

from jobs.redaction import Redaction

_REDACTION = Redaction()


def configure(level: str, form: str, settings: BaseModel | None = None) -> None:
    """Log to stderr, as `text` lines or as `json`, from `level` on, and what libraries say from `warning` on.

    What looks like a credential is not written down, whoever said it; nor are the secrets of `settings`, by value.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    for secret in _secrets(settings):
        _REDACTION.add(secret)
    last: Processor = structlog.processors.JSONRenderer()
    if form != "json":
        last = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,  # to text before it is looked through: in exceptions stands what nobody chose to log
        _redacted,
    ]
    structlog.configure(
        processors=[*before, last],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *before],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)


def _secrets(settings: BaseModel | None) -> list[str]:
    """The secrets among settings, and passwords in URLs."""
    found: list[str] = []
    for value in dict(settings or ()).values():
        parts = value if isinstance(value, tuple) else (value,)
        found += [part.get_secret_value() for part in parts if isinstance(part, SecretStr)]
        found += [password for part in parts if isinstance(part, str) and "@" in part and (password := _password(part))]
    return found


def _password(url: str) -> str | None:
    try:
        return urlsplit(url).password
    except ValueError:
        return None


def _redacted(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """The same without credentials, and of nothing but what JSON knows: an object is written as it says itself."""
    return {name: value if name.startswith("_") else _plain(value) for name, value in event.items()}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return _REDACTION.text(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return _REDACTION.text(bytes(value).decode("utf-8", "backslashreplace"))
    if isinstance(value, Mapping):
        return {_REDACTION.text(str(name)): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(part) for part in value]
    return _REDACTION.text(f"{type(value).__name__}: {value}" if isinstance(value, BaseException) else repr(value))
