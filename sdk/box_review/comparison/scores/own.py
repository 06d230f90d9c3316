"""A user's own function as a score. It is his program on his machine: it runs here, and what it raises is told of its cell alone."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from box_review.comparison.plan import Case
from box_review.comparison.score_specs import Own
from box_review.comparison.scores.mark import Mark
from box_review.errors import InputError

Function = Callable[..., Any]


def load(spec: Own, folder: Path) -> Function:
    """The function a spec names. Raises InputError if its file cannot be loaded or lacks it."""
    name, _, function = spec.function.partition(":")
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise InputError(f"scores.{spec.id}: there is no file {name} below {folder}")
    module_spec = importlib.util.spec_from_file_location(f"box_review_scorer_{path.stem}", path)
    if module_spec is None or module_spec.loader is None:
        raise InputError(f"scores.{spec.id}: {name} is no Python file")
    module = importlib.util.module_from_spec(module_spec)
    try:
        module_spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise InputError(f"scores.{spec.id}: {name} cannot be loaded: {type(error).__name__}: {error}") from error
    found = getattr(module, function, None)
    if not callable(found):
        raise InputError(f"scores.{spec.id}: {name} has no function {function}")
    return found  # type: ignore[no-any-return]


def own(function: Function, answer: str, case: Case) -> Mark:
    """What the function says; what it raises, or says besides numbers from 0 to 1, is the mark's error."""
    sources = [source.text for source in case.sources]
    try:
        value = function(answer=answer, expected=case.expected, sources=sources, prompt=case.prompt, input_id=case.input_id)
        if value is None:
            return Mark(note="not scored")
        if not isinstance(value, (bool, int, float)) or not math.isfinite(value) or not 0 <= value <= 1:
            return Mark(error=f"it returned {value!r:.100}; a number from 0 to 1, a bool or None is expected")
    except (Exception, SystemExit) as error:  # a boundary: the function is not ours
        return Mark(error=f"{type(error).__name__}: {error!s:.500}")
    return Mark(value=float(value))
