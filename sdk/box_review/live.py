"""Something that changes in place on a terminal, on standard error, while a `with` block runs."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.live import Live

REFRESHES_PER_S = 8


class OnTerminal:
    """Leaves the terminal as it was. `_live` is None where nothing can change in place: then each thing is a line of its own.

    Args:
        quiet: show nothing.
        console: where to show it; None for standard error, which honours `NO_COLOR`.
    """

    def __init__(self, *, quiet: bool = False, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._quiet = quiet
        self._live: Live | None = None

    def _shown(self) -> dict[str, Any]:
        """What `rich.live.Live` shows first, as its arguments."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        if not self._quiet and self._console.is_terminal and not self._console.is_dumb_terminal:
            self._live = Live(console=self._console, refresh_per_second=REFRESHES_PER_S, **self._shown())
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def _print(self, line: str) -> None:
        """Past rich, which would break long lines: one thing is one line."""
        self._console.file.write(line + "\n")
        self._console.file.flush()
