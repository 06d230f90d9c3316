"""Cron expressions of schedules, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, Field

_NAMED_CRONS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
}


def next_time(cron: str, after: datetime) -> datetime:
    """When a schedule begins next, in UTC. Raises CronSimError, StopIteration if it never does."""
    return next(CronSim(_NAMED_CRONS.get(cron, cron), after))


def _cron(value: str) -> str:
    try:
        next_time(value, datetime.now(UTC))
    except StopIteration as error:
        raise ValueError("a cron expression that never comes") from error
    except CronSimError as error:
        raise ValueError(f"not a cron expression: {error}") from error
    return value


Cron = Annotated[str, Field(max_length=200), AfterValidator(_cron)]
