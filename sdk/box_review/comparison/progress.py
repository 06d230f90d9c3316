"""How far a comparison is, on standard error: one line that changes on a terminal, a line for each cell elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from box_review.comparison.answer import Status
from box_review.comparison.execution import Step
from box_review.comparison.report import wording
from box_review.sanitize import for_terminal


class Progress:
    """Shows steps while its `with` block runs."""

    def __init__(self, *, quiet: bool = False, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._quiet = quiet
        self._failed = self._known = 0
        self._usd = 0.0
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if not self._quiet and self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(Text("making the base box"), console=self._console, refresh_per_second=8)
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()

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
            self._console.file.write(for_terminal(words)[:300] + "\n")
            self._console.file.flush()

    def _line(self, step: Step) -> str:
        parts = [
            f"{step.done}/{step.total}",
            f"{self._failed} failed" if self._failed else "",
            f"{self._known} known before" if self._known else "",
            wording.dollars(self._usd) if self._usd else "",
            step.name,
        ]
        return for_terminal(" · ".join(filter(None, parts)))
