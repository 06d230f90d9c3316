"""Where things stand in the charts of the page. Nothing is drawn here: the template has the SVG."""

from __future__ import annotations

from dataclasses import dataclass

from box_review.comparison.answer import Status
from box_review.comparison.report import wording
from box_review.comparison.result import Comparison, ModelResult, ScoreAbout

WIDTH, HEIGHT = 640.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, 24.0, 16.0, 44.0
SERIES = 8
_DOTS = 150


@dataclass(frozen=True)
class Bar:
    """One model in a chart of figures: percent of the width; `low` and `high` None without an interval."""

    model: str
    series: int
    at: float | None
    low: float | None
    high: float | None
    said: str


@dataclass(frozen=True)
class Point:
    """One model in cost against quality, in units of the drawing."""

    model: str
    series: int
    x: float
    y: float
    low: float
    high: float
    label_left: bool
    said: str


@dataclass(frozen=True)
class Scatter:
    """Cost, or time where no cost is known, against the main score."""

    across: str
    up: str
    points: tuple[Point, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True)
class Quartiles:
    """In percent of the width."""

    quarter: float
    half: float
    three_quarters: float


@dataclass(frozen=True)
class Strip:
    """The times of one model, in percent of the width: every answer, or an even choice of them, and quartiles."""

    model: str
    series: int
    dots: tuple[float, ...]
    box: Quartiles
    said: str


def bars(comparison: Comparison, about: ScoreAbout) -> list[Bar]:
    """The figures of all models by one score."""
    top = 100.0 if about.percent else 1.0
    found = []
    for number, model in enumerate(comparison.models):
        score = comparison.score(model.id, about.id)
        at, interval = score.value, score.interval
        found.append(
            Bar(
                model.id,
                number % SERIES,
                None if at is None else _percent(at / top),
                None if interval is None else _percent(interval.low / top),
                None if interval is None else _percent(interval.high / top),
                wording.with_interval(score, about),
            )
        )
    return found


def scatter(comparison: Comparison) -> Scatter | None:
    """None where no model has a figure."""
    about = wording.main_score(comparison)
    priced = any(model.cost_usd for model in comparison.models)
    top = 100.0 if about.percent else 1.0
    xs = {model.id: _across(model, priced) for model in comparison.models}
    most = max(xs.values(), default=0.0) * 1.15 or 1.0
    points = []
    for number, model in enumerate(comparison.models):
        score = comparison.score(model.id, about.id)
        if score.value is None:
            continue
        low, high = (score.interval.low, score.interval.high) if score.interval else (score.value, score.value)
        said = f"{model.id}: {wording.with_interval(score, about)} at {_amount(xs[model.id], priced)}"
        x = LEFT + xs[model.id] / most * (WIDTH - LEFT - RIGHT)
        points.append(Point(model.id, number % SERIES, x, _y(score.value / top), _y(low / top), _y(high / top), x > WIDTH * 0.7, said))
    if not points:
        return None
    return Scatter(
        "USD a cell" if priced else "time of an answer, median (no cost is known)",
        about.id,
        tuple(points),
        tuple((LEFT + share * (WIDTH - LEFT - RIGHT), _amount(share * most, priced)) for share in (0, 0.25, 0.5, 0.75, 1)),
        tuple((_y(share), wording.figure(share * top, about)) for share in (0, 0.25, 0.5, 0.75, 1)),
    )


def strips(comparison: Comparison) -> tuple[list[Strip], float]:
    """How long answers took, and the seconds at the right end."""
    seconds: dict[str, list[float]] = {model.id: [] for model in comparison.models}
    for cell in comparison.cells:
        if cell.answer.status is Status.ANSWERED:
            seconds[cell.model].append(cell.answer.seconds)
    most = max((max(times) for times in seconds.values() if times), default=0.0) or 1.0
    found = []
    for number, (model, unordered) in enumerate(seconds.items()):
        if not (times := sorted(unordered)):
            continue
        quarter, half, three_quarters = (times[min(len(times) - 1, int(share * len(times)))] for share in (0.25, 0.5, 0.75))
        dots = tuple(_percent(one / most) for one in times[:: max(1, len(times) // _DOTS)])
        said = f"{wording.seconds(half)} median, {wording.seconds(times[-1])} at most, {len(times)} answers"
        box = Quartiles(*(_percent(one / most) for one in (quarter, half, three_quarters)))
        found.append(Strip(model, number % SERIES, dots, box, said))
    return found, most


def _across(model: ModelResult, priced: bool) -> float:
    return model.cost_usd / max(1, model.answered + model.failed) if priced else model.seconds_p50 or 0.0


def _percent(share: float) -> float:
    return round(100 * min(1.0, max(0.0, share)), 2)


def _y(share: float) -> float:
    return round(HEIGHT - BOTTOM - min(1.0, max(0.0, share)) * (HEIGHT - TOP - BOTTOM), 1)


def _amount(value: float, priced: bool) -> str:
    return wording.dollars(value) if priced else wording.seconds(value)
