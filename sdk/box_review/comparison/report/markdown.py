"""The comparison as a comment on a pull request."""

from __future__ import annotations

from collections.abc import Iterator

from box_review.comparison.report import wording
from box_review.comparison.result import Comparison, ScoreAbout
from box_review.sanitize import for_markdown, inline_code

COMMENT_LIMIT = 65_536
_NOTES = 10


def render(comparison: Comparison) -> str:
    """Markdown that GitHub takes as one comment, in which no text of a model is live: none stands in it but reasons of failures."""
    text = "\n".join(_lines(comparison)) + "\n"
    if len(text) <= COMMENT_LIMIT:
        return text
    return text[: COMMENT_LIMIT - 60].rpartition("\n")[0] + "\n\nCut here; the HTML report has the rest.\n"


def _lines(comparison: Comparison) -> Iterator[str]:
    yield f"### {for_markdown(comparison.title or 'Comparison of models')}"
    yield ""
    yield f"| | {' | '.join(inline_code(model.id) for model in comparison.models)} |"
    yield f"|---|{'---|' * len(comparison.models)}"
    for about in comparison.about:
        figures = (wording.with_interval(comparison.score(model.id, about.id), about) for model in comparison.models)
        yield f"| {for_markdown(about.id)} {'↓' if about.lower_is_better else '↑'} | {' | '.join(figures)} |"
    yield f"| failed, not run | {' | '.join(f'{one.failed}, {one.not_run}' for one in comparison.models)} |"
    yield f"| time p50 | {' | '.join(wording.seconds(one.seconds_p50) for one in comparison.models)} |"
    yield f"| cost | {' | '.join(wording.dollars(one.cost_usd) for one in comparison.models)} |"
    yield ""
    for about in comparison.about:
        yield from _verdicts(comparison, about)
    yield from (f"- {for_markdown(note)}" for note in comparison.notes[:_NOTES])
    for model in comparison.models:
        for reason, count in list(model.errors.items())[:3]:
            yield f"- {inline_code(model.id)} failed {count} times: {for_markdown(reason)}"
    yield ""
    yield for_markdown(wording.last_line(comparison))


def _verdicts(comparison: Comparison, about: ScoreAbout) -> Iterator[str]:
    for pair in wording.shown_pairs(comparison, about):
        if pair.difference is None:
            continue
        first, second = inline_code(pair.first), inline_code(pair.second)
        said = for_markdown(pair.verdict) if wording.told_apart(pair) else f"not distinguishable: {first} and {second}"
        found = f"{wording.difference(pair, about)}, p {wording.p_value(pair.p_holm)}"
        yield f"- **{for_markdown(about.id)}**: {said} ({first} minus {second}: {found})"
