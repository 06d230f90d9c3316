"""One budget for all cells, however many run at once."""

from __future__ import annotations

import threading


class Budget:
    """Shares what is left among the runs that begin.

    Args:
        usd: for all; None for no bound.
        at_once: runs side by side.
    """

    def __init__(self, usd: float | None, at_once: int) -> None:
        self._usd, self._idle = usd, at_once
        self.spent_usd = 0.0
        self._given = 0.0
        self._lock = threading.Lock()

    def take(self) -> float | None:
        """What a run that begins may cost; None for no bound. Raises BudgetUsedUp.

        What others may still use is kept for them, so all together stay below the budget, whatever each uses.
        """
        with self._lock:
            if self._usd is None:
                return None
            left = self._usd - self.spent_usd - self._given
            if left <= 1e-9:
                raise BudgetUsedUp
            share = left / max(1, self._idle)
            self._idle -= 1
            self._given += share
            return share

    def settle(self, share: float | None, cost_usd: float) -> None:
        """A run has ended that had this share."""
        with self._lock:
            self.spent_usd += cost_usd
            if share is not None:
                self._given -= share
                self._idle += 1

    def count(self, cost_usd: float) -> None:
        """Something was paid for in an earlier run of the comparison."""
        with self._lock:
            self.spent_usd += cost_usd


class BudgetUsedUp(Exception):
    """Nothing is left to begin with."""
