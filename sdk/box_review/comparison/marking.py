"""The marks of all cells but those of a panel: first what is computed here, one after the other, then what judges are asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from box_review.comparison.answer import Answer, Status
from box_review.comparison.judging import JudgeDesk
from box_review.comparison.plan import Case, Cell
from box_review.comparison.score_specs import ScoreSpec
from box_review.comparison.scores import Mark, Scorer
from box_review.comparison.spec import Spec
from box_review.comparison.store import Store

Marks = dict[str, dict[str, Mark]]
"""By the names of cells, and the ids of scores."""

_NOTHING = Mark(note="this input has nothing to hold it against")


def marks_of(spec: Spec, scorers: Sequence[Scorer | None], cells: Mapping[str, Cell], answers: Mapping[str, Answer]) -> Marks:
    """What needs nobody; a cell without an answer has no marks."""
    return {name: _marks(spec, scorers, cell.case, answers[name]) for name, cell in cells.items()}


def _marks(spec: Spec, scorers: Sequence[Scorer | None], case: Case, answer: Answer) -> dict[str, Mark]:
    if answer.status is not Status.ANSWERED:
        return {}
    found: dict[str, Mark] = {}
    for score, scored in zip(spec.scores, scorers, strict=True):
        if not _applies(score, case):
            found[score.id] = _NOTHING
        elif scored is not None:
            found[score.id] = scored(answer.text, case)
    return found


def add_judged(marks: Marks, spec: Spec, judges: JudgeDesk, cells: Mapping[str, Cell], answers: Mapping[str, Answer], store: Store) -> None:
    """Ask the judge for the marks that need one, some at once; what was not begun when this is interrupted is not asked."""
    wanted = [
        (name, score)
        for name, cell in cells.items()
        for score in spec.scores
        if score.needs_api and answers[name].status is Status.ANSWERED and _applies(score, cell.case)
    ]
    pool = ThreadPoolExecutor(spec.at_once, thread_name_prefix="judge")
    asked = [pool.submit(judges.mark, score, answers[name].text, cells[name].case, store) for name, score in wanted]
    try:
        for (name, score), future in zip(wanted, asked, strict=True):
            marks[name][score.id] = future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _applies(score: ScoreSpec, case: Case) -> bool:
    return (case.expected is not None or not score.needs_expected) and (bool(case.sources) or not score.needs_sources)
