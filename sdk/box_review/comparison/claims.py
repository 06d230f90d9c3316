"""An answer as a list of claims, and claims looked up in texts.

Two claims are the same, and a claim stands in a text, after `plain`: letters folded, blanks run together, Markdown's marks and the
punctuation around it taken away. Nothing is understood here, only compared; what needs understanding asks a judge.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, Literal

MOST_CLAIMS = 2_000
MOST_CLAIM = 2_000

Split = Literal["auto", "lines", "sentences"]

# Every expression here takes time in proportion to the text, whatever a model wrote.
_MARKS = re.compile(r"[`*|\"“”„«»]+|(?m:^[ \t]*(?:[-•+#>]+|\d{1,3}[.)])[ \t]+)")
_BLANKS = re.compile(r"\s+")
_AROUND = " \t\n.,;:!?()[]'"
_BULLET = re.compile(r"^[ \t]*(?:[-*•+]|\d{1,3}[.)])[ \t]+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[^\s])|\n{2,}")
_SHORT_LINE = 60
_INSIDE = r"[\w/{}-]"


def plain(text: str) -> str:
    """What a text says, without how it is written."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _BLANKS.sub(" ", _MARKS.sub(" ", folded)).strip(_AROUND)


def json_of(answer: str) -> Any:
    """The JSON that an answer is, alone or in its one fenced block. Raises ValueError if it is none."""
    fenced = None if answer.lstrip()[:1] in ("{", "[") else _fenced(answer)
    try:
        return json.loads(answer if fenced is None else fenced)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _fenced(answer: str) -> str | None:
    """What stands in the fenced block of an answer that has one and no other."""
    lines = answer.split("\n")
    fences = [at for at, line in enumerate(lines) if line.lstrip().startswith("```")]
    return "\n".join(lines[fences[0] + 1 : fences[1]]) if len(fences) == 2 else None


def claims_of(answer: Any, key: str | None = None, form: str | None = None, split: Split = "auto") -> list[str]:
    """The claims of an answer, or of an expected one, each once, `MOST_CLAIMS` at most.

    Args:
        answer: a text, or a JSON value.
        key, form, split: as in `score_specs`.
    """
    value = answer
    if isinstance(answer, str):
        try:
            value = json_of(answer)
        except ValueError:
            value = None
        if not isinstance(value, (list, dict)):
            return _once(_pieces(answer, split))
    return _once(_said(item, form) for item in _items(value, key))


def stands_in(claim: str, plain_text: str) -> bool:
    """Whether a claim stands in a text that went through `plain`, as whole words."""
    wanted = plain(claim)
    if not wanted:
        return False
    return re.search(f"(?<!{_INSIDE}){re.escape(wanted)}(?!{_INSIDE})", plain_text) is not None


def matched(claims: Sequence[str], expected: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """Claims that are expected, claims that are not, and expected ones that nobody made."""
    wanted, made = {plain(claim) for claim in expected}, {plain(claim) for claim in claims}
    return (
        [claim for claim in claims if plain(claim) in wanted],
        [claim for claim in claims if plain(claim) not in wanted],
        [claim for claim in expected if plain(claim) not in made],
    )


def f1(right: int, wrong: int, missing: int) -> tuple[float, float, float]:
    """Precision, recall and F1; all 1 where nothing was expected and nothing said."""
    if not right and not wrong and not missing:
        return 1.0, 1.0, 1.0
    precision = right / (right + wrong) if right + wrong else 0.0
    recall = right / (right + missing) if right + missing else 0.0
    return precision, recall, 2 * right / (2 * right + wrong + missing)


def _items(value: Any, key: str | None) -> list[Any]:
    """The claims in a JSON value: a list, the list under `key`, the only list of an object, or what an object says under each name."""
    if not isinstance(value, dict):
        return value if isinstance(value, list) else [value]
    if key is not None:
        found = value.get(key)
        return found if isinstance(found, list) else []
    lists = [inner for inner in value.values() if isinstance(inner, list)]
    return lists[0] if len(lists) == 1 else [f"{name}: {_said(inner, None)}" for name, inner in value.items()]


def _said(item: Any, form: str | None) -> str:
    """One item of a list, as a sentence would say it."""
    if isinstance(item, dict):
        if form is not None:
            return re.sub(r"\{(\w+)\}", lambda found: _said(item.get(found[1], ""), None), form)
        return " ".join(_said(inner, None) for inner in item.values())
    if isinstance(item, list):
        return " ".join(_said(inner, None) for inner in item)
    return item if isinstance(item, str) else json.dumps(item)


def _pieces(text: str, split: Split) -> Iterable[str]:
    lines = [line for line in text.splitlines() if line.strip()]
    bullets = [line for line in lines if _BULLET.match(line)]
    if split == "auto" and len(bullets) * 2 > len(lines):
        lines, split = bullets, "lines"
    elif split == "auto" and len(lines) > 1 and all(len(line) <= _SHORT_LINE for line in lines):
        split = "lines"
    pieces = lines if split == "lines" else _SENTENCE_END.split(text)
    return (_BULLET.sub("", piece) for piece in pieces)


def _once(claims: Iterable[str]) -> list[str]:
    found: dict[str, str] = {}
    for claim in claims:
        if len(found) == MOST_CLAIMS:
            break
        cut = claim.strip()[:MOST_CLAIM]
        if (known := plain(cut)) and known not in found:
            found[known] = cut
    return list(found.values())
