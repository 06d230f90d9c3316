"""The comparison on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from box_review.comparison.report import wording
from box_review.comparison.result import Comparison
from box_review.sanitize import for_terminal


def render(comparison: Comparison, width: int) -> str:
    """Figures by model, what can be told apart, and what has to be known."""
    return "\n".join(for_terminal(line) for line in _lines(comparison, width)) + "\n"


def _lines(comparison: Comparison, width: int) -> Iterator[str]:
    yield comparison.title or "Comparison"
    yield ""
    heads = ["", *(model.id for model in comparison.models)]
    rows = [
        [f"{about.id} {'↓' if about.lower_is_better else '↑'}"]
        + [wording.with_interval(comparison.score(model.id, about.id), about) for model in comparison.models]
        for about in comparison.about
    ]
    rows += [
        ["cells failed, not run", *(f"{model.failed}, {model.not_run}" for model in comparison.models)],
        ["seconds p50, p95", *(f"{wording.seconds(one.seconds_p50)}, {wording.seconds(one.seconds_p95)}" for one in comparison.models)],
        ["cost", *(wording.dollars(model.cost_usd) for model in comparison.models)],
    ]
    yield from _table([heads, *rows], width)
    for about in comparison.about:
        pairs = wording.shown_pairs(comparison, about)
        if pairs:
            yield ""
            yield f"{about.id}:"
        for pair in pairs:
            more = f" (difference {wording.difference(pair, about)}, p {wording.p_value(pair.p_holm)})"
            yield f"  {wording.verdict(pair)}" + (more if pair.difference is not None else " (no case has a value of both)")
        yield from (f"  {line}" for line in wording.passes(comparison, about))
    for panel in comparison.panels:
        alpha = "says nothing" if panel.alpha is None else f"{panel.alpha:.3f}"
        yield ""
        yield f"{panel.score}: {panel.votes} votes of {', '.join(panel.judges)}; Krippendorff's alpha {alpha}"
    if comparison.notes:
        yield ""
        yield from comparison.notes
    yield ""
    yield wording.last_line(comparison)


def _table(rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    """Columns; one model below the other where they have no room side by side."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    if sum(widths) + 2 * len(widths) <= width:
        for row in rows:
            yield "  ".join(cell.ljust(room) for cell, room in zip(row, widths, strict=True)).rstrip()
        return
    for column in range(1, len(rows[0])):
        yield rows[0][column]
        for row in rows[1:]:
            yield f"  {row[0].ljust(widths[0])}  {row[column]}"
