"""A scripted model for the planted bugs: finds every second one, with its hidden test as reproducer, and makes a false claim each time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tests.fakes.models import ModelServer
from tests.fakes.script import Asked, Step, Tool, answer

if TYPE_CHECKING:
    from bench.planting import Case


@contextlib.contextmanager
def scripted(cases: Sequence[Case]) -> Iterator[dict[str, str]]:
    """The environment that leads a server to it."""
    by_title = {case.title: case for case in cases}
    bugs = [case for case in cases if case.bug is not None]

    def script(asked: Asked) -> Step:
        if not asked.tools:
            return Step(text="ok")
        if asked.turn == 0:
            return Step(text="I look.", tools=(Tool("run", {"command": "git diff --stat base head"}),))
        if "You are the jury" in asked.said:
            return answer({"votes": [], "summary": "Judged by a script."})
        case = next(case for title, case in by_title.items() if title in asked.said)
        claims = [_claim(case, "Nothing is wrong here, but it is claimed", "true", case.path or _some_path(asked), 1)]
        if case in bugs and bugs.index(case) % 2 == 0:
            claims.append(_claim(case, str(case.bug)[:190], case.hidden_test(), case.path, case.start_line))
        return answer({"findings": claims, "evidence": [], "not_covered": []})

    with ModelServer(script) as server:
        yield server.environment


def _claim(case: Case, title: str, script: str, path: str, line: int) -> dict[str, Any]:
    return {
        "path": path, "start_line": line, "end_line": line, "severity": "high", "confidence": 0.8, "topic": f"line-{line}", "title": title,
        "why": title, "scenario": title, "suggestion": None,
        "reproducer": {"kind": "regression", "script": script, "expects": "the hidden test passes"},
    }  # fmt: skip


def _some_path(asked: Asked) -> str:
    """A file of the diff."""
    return asked.said.split("+++ b/", 1)[1].split("\\n", 1)[0]
