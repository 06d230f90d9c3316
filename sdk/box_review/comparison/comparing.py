"""A comparison from its spec to its result."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from box_review.boxes import official_address
from box_review.client import Address
from box_review.comparison import panel
from box_review.comparison.answer import Answer, Status
from box_review.comparison.base import done_with, ground
from box_review.comparison.budget import Budget
from box_review.comparison.execution import Desk, Step, Watcher
from box_review.comparison.judging import JudgeDesk
from box_review.comparison.marking import Marks, add_judged, marks_of
from box_review.comparison.plan import Cell, Plan
from box_review.comparison.reading import make_plan, read_spec, spec_from
from box_review.comparison.report import write_reports
from box_review.comparison.result import CaseResult, CellResult, Comparison, PanelResult
from box_review.comparison.scores import Scorer, scorer
from box_review.comparison.spec import Spec
from box_review.comparison.statistics import scipy_stats
from box_review.comparison.store import Store
from box_review.comparison.summary import of_model, scores_about, summed_up
from box_review.serving import server

_SHOWN_CHARACTERS = 60_000
_ALL_CHARACTERS, _LEAST_CHARACTERS = 100_000_000, 5_000
_FEW_CASES = 10


@dataclass(frozen=True)
class Wish:
    """How to compare, where it differs from the spec.

    Attributes:
        out: folder of answers and reports; a comparison that was killed goes on there.
        address: of the server; None for the one of the environment, or one of this machine's own.
        at_once, budget_usd: instead of the spec's.
        again: ask again what failed in an earlier run.
    """

    out: Path
    address: Address | None = None
    driver: str = "auto"
    at_once: int | None = None
    budget_usd: float | None = None
    again: bool = False
    watch: Watcher = lambda _: None


def compare(
    spec: str | Path | Mapping[str, Any] | Spec,
    *,
    out: str | Path = "comparison",
    folder: str | Path = ".",
    address: Address | None = None,
    at_once: int | None = None,
    budget_usd: float | None = None,
    on_step: Watcher | None = None,
) -> Comparison:
    """Ask, score and report; the reports lie in `out` as `report.html`, `.json`, `.xml` and `.md`.

    Args:
        spec: a file, or what would stand in one.
        out: what is in there already is not asked again.
        folder: what paths of the spec are relative to, where it is no file.
        address: of the server; None for that of the environment, else one is started here for as long as it takes.
        at_once, budget_usd: instead of the spec's.
        on_step: called with each answer as it comes, in the caller's thread.

    Raises:
        InputError: the spec or something it names cannot be used, or a command of the set-up fails.
        ServerMissing: no server is named, and only the SDK is installed.
        ServerUnavailable: the server does not answer.
    """
    wish = Wish(Path(out), address, at_once=at_once, budget_usd=budget_usd, watch=on_step or (lambda _: None))
    return compare_plan(plan_of(spec, Path(folder)), wish)


def plan_of(spec: str | Path | Mapping[str, Any] | Spec, folder: Path) -> Plan:
    """The plan of a spec. Raises InputError."""
    if isinstance(spec, (str, Path)):
        return make_plan(read_spec(Path(spec)), Path(spec).parent)
    return make_plan(spec if isinstance(spec, Spec) else spec_from(spec, "spec"), folder)


def compare_plan(plan: Plan, wish: Wish) -> Comparison:
    """See `compare`."""
    scipy_stats()  # what is missing is said before the work
    changes = {name: value for name in ("at_once", "budget_usd") if (value := getattr(wish, name)) is not None}
    plan = replace(plan, spec=plan.spec.model_copy(update=changes))
    scorers = [scorer(score, plan.folder) for score in plan.spec.scores]
    judges = JudgeDesk.of(plan.spec)
    store = Store(wish.out)
    with (
        contextlib.closing(judges) if judges else contextlib.nullcontext(),
        store.turn(),
        _address(wish) as address,
        ground(plan, address, store) as ready,
    ):
        desk = Desk(ready, store, Budget(plan.spec.budget_usd, plan.spec.at_once), plan.spec.at_once, wish.watch, wish.again)
        comparison = _Work(plan, desk, scorers, judges).done()
        write_reports(comparison, store)
        if not any(model.not_run for model in comparison.models):
            done_with(ready, address, store)
        return comparison


@contextlib.contextmanager
def _address(wish: Wish) -> Iterator[Address]:
    if named := wish.address or official_address():
        yield named
        return
    with server(wish.driver) as address:
        yield address


class _Work:
    """One comparison under way."""

    def __init__(self, plan: Plan, desk: Desk, scorers: Sequence[Scorer | None], judges: JudgeDesk | None) -> None:
        self._plan, self._desk, self._scorers, self._judges = plan, desk, scorers, judges
        self._known = 0
        self._began = time.monotonic()

    def done(self) -> Comparison:
        """Ask, score, sum up."""
        cells = {cell.id: cell for cell in self._plan.cells()}
        desk = replace(self._desk, watch=self._counting(self._desk.watch))
        answers = desk.ask_all("answers", {name: self._plan.ask(cell) for name, cell in cells.items()})
        marks = marks_of(self._plan.spec, self._scorers, cells, answers)
        if self._judges is not None:
            add_judged(marks, self._plan.spec, self._judges, cells, answers, self._desk.store)
        panels = self._panels(cells, answers, marks)
        return self._summed_up(
            [
                CellResult(
                    model=cell.model.id,
                    prompt=cell.case.prompt_id,
                    input=cell.case.input_id,
                    repeat=cell.repeat,
                    answer=_for_report(answers[name], len(cells)),
                    marks=marks[name],
                )
                for name, cell in cells.items()
            ],
            panels,
        )

    def _counting(self, watch: Watcher) -> Watcher:
        def count(step: Step) -> None:
            self._known += step.known
            watch(step)

        return count

    def _panels(self, cells: Mapping[str, Cell], answers: Mapping[str, Answer], marks: Marks) -> list[PanelResult]:
        results = []
        for rubric in panel.rubrics(self._plan.spec):
            given, result = panel.hold(rubric, self._plan.spec, cells, answers, self._desk)
            results.append(result)
            for name, mark in given.items():
                marks[name][rubric.id] = mark
        return results

    def _summed_up(self, cells: list[CellResult], panels: list[PanelResult]) -> Comparison:
        spec = self._plan.spec
        about = scores_about(spec)
        figures = [summed_up(cells, one, spec) for one in about]
        models = tuple(of_model(agent, cells) for agent in spec.models)
        return Comparison(
            title=spec.title,
            created_at=datetime.now(UTC),
            digest=self._desk.ground.digest,
            repeats=spec.repeats,
            seed=spec.seed,
            spent_usd=round(self._desk.budget.spent_usd, 6),
            budget_usd=spec.budget_usd,
            duration_s=round(time.monotonic() - self._began, 3),
            known_before=self._known,
            models=models,
            about=tuple(about),
            scores=tuple(score for scores, _ in figures for score in scores),
            pairs=tuple(pair for _, pairs in figures for pair in pairs),
            panels=tuple(panels),
            cases=tuple(
                CaseResult(
                    prompt=case.prompt_id,
                    input=case.input_id,
                    asked=case.prompt[:_SHOWN_CHARACTERS],
                    expected=case.expected,
                    sources=tuple((source.name, source.text[:_SHOWN_CHARACTERS]) for source in case.sources),
                )
                for case in self._plan.cases
            ),
            cells=tuple(cells),
            notes=tuple(_notes(spec, cells, panels)),
        )


def _for_report(answer: Answer, count: int) -> Answer:
    """An answer as reports have it: all of them together stay within what can be opened; the folder has the rest."""
    room = max(_LEAST_CHARACTERS, _ALL_CHARACTERS // max(1, count))
    return answer if len(answer.text) <= room else answer.model_copy(update={"text": answer.text[:room]})


def _notes(spec: Spec, cells: Sequence[CellResult], panels: Sequence[PanelResult]) -> Iterator[str]:
    """What a reader has to know."""
    if left := sum(cell.answer.status is Status.NOT_RUN for cell in cells):
        yield f"{left} of {len(cells)} cells were not run: the budget of {spec.budget_usd:g} USD is used up."
    if failed := sum(cell.answer.status is Status.FAILED for cell in cells):
        yield f"{failed} of {len(cells)} cells failed; they count as wrong where more is better, and not at all where less is."
    if cut := sum(cell.answer.cut for cell in cells):
        yield f"{cut} answers were longer than what is kept and scored."
    for score in spec.scores:
        if wrong := sum(bool((mark := cell.marks.get(score.id)) and mark.error) for cell in cells):
            yield f"{score.id} could not be told of {wrong} cells; the reason stands at each."
    if len(spec.prompts) * len(spec.inputs) < _FEW_CASES:
        yield f"With fewer than {_FEW_CASES} cases only large differences can be told from chance."
    yield from _notes_of_panels(spec, panels)


def _notes_of_panels(spec: Spec, panels: Sequence[PanelResult]) -> Iterator[str]:
    candidates = {(model.harness, model.model) for model in spec.models}
    for judge in spec.judges:
        if panels and judge.harness != "custom" and (judge.harness, judge.model) in candidates:
            yield f"The judge {judge.id} is one of the models compared."
    for held in panels:
        if held.failed:
            yield f"{held.failed} of {held.votes} votes on {held.score} failed or were not asked for."
