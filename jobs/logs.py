"""How a process logs; only `__main__` modules call this."""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.typing import EventDict, WrappedLogger

from jobs.redaction import Redaction


def configure(level: str, form: str) -> None:
    """Log to stderr from `level` on, as `text` lines or as `json`."""
    number = logging.getLevelNamesMapping()[level.upper()]
    last: structlog.types.Processor
    last = structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _redacted,
            *([structlog.processors.format_exc_info] if form == "json" else []),
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(level=max(number, logging.WARNING), stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")


_REDACTION = Redaction()


def _redacted(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """What looks like a credential is not written down, whoever said it."""
    return {name: _REDACTION.text(value) if isinstance(value, str) else value for name, value in event.items()}
