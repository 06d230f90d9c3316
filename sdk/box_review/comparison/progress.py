"""How far a comparison is, on standard error: one line that changes on a terminal, a line for each cell elsewhere."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from box_review.comparison.answer import Status
from box_review.comparison.execution import Step
from box_review.comparison.report import wording
from box_review.live import OnTerminal
from box_review.sanitize import for_terminal


class Progress(OnTerminal):
    """Shows steps while its `with` block runs."""

    def __init__(self, *, quiet: bool = False, console: Console | None = None) -> None:
        super().__init__(quiet=quiet, console=console)
        self._failed = self._known = 0
        self._usd = 0.0

    def _shown(self) -> dict[str, Any]:
        return {"renderable": Text("making the base box")}

    def show(self, step: Step) -> None:
        """Take in the next step."""
        self._failed += step.answer.status is Status.FAILED
        self._known += step.known
        self._usd += step.answer.cost_usd
        if self._live is not None:
            self._live.update(Text(self._line(step), no_wrap=True, overflow="ellipsis"))
        elif not self._quiet and not step.known:
            said = step.answer.error if step.answer.error else wording.seconds(step.answer.seconds)
            words = f"{step.done}/{step.total} {step.name}: {step.answer.status.replace('_', ' ')}, {said}"
            self._print(for_terminal(words)[:300])

    def _line(self, step: Step) -> str:
        parts = [
            f"{step.done}/{step.total}",
            f"{self._failed} failed" if self._failed else "",
            f"{self._known} known before" if self._known else "",
            wording.dollars(self._usd) if self._usd else "",
            step.name,
        ]
        return for_terminal(" · ".join(filter(None, parts)))
