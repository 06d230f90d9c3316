"""What may be kept of a proposal, and what a person must look at before anybody reads it.

Credentials and what names or reaches a person are taken out. A flag says that a text could be meant for a model instead of for a reader:
flagged texts are kept, but no number of supporters publishes them. Flags err towards a person: a harmless text that waits costs little.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from box_review.sanitize import visible
from box_review.scrub import scrub

from bot.knowledge.signs import DIGITS_FOR_LETTERS, ENGLISH, FORMS, INSTRUCTIONS

MOST_LINES = 2
_SPACES, _LINE_END = re.compile(r"[^\S\n]+"), re.compile(r" ?(?:\n ?)+")
_LETTERS = re.compile(r"[^\W\d_]+")
_DIGIT_IN_A_WORD = re.compile(r"[^\W\d_][0134578@$!|]+[^\W\d_]")


@dataclass(frozen=True, slots=True)
class Screened:
    """A text as it may be kept, and the flags that it got, each once."""

    text: str
    flags: tuple[str, ...]


def screened(text: str, names: Iterable[str] = ()) -> Screened:
    """A proposal's text.

    Args:
        names: of tenants that must not be in it.
    """
    plain = unicodedata.normalize("NFKC", text)
    shown = visible(plain, multiline=True)
    flags = [] if shown == plain.replace("\r\n", "\n") else ["hidden characters"]
    clean = scrub(_LINE_END.sub("\n", _SPACES.sub(" ", shown)))
    flags += [f"scrubbed: {kind}" for kind in clean.found]
    flags += [flag for flag, pattern in (*INSTRUCTIONS, *FORMS) if pattern.search(clean.text)]
    if sum(bool(line.strip()) for line in clean.text.splitlines()) > MOST_LINES:
        flags.append("several lines")
    flags += _of_disguise(clean.text)
    if _names_one(clean.text, names):
        flags.append("names a tenant")
    return Screened(clean.text.strip(), tuple(dict.fromkeys(flags)))


def scrubbed(text: str) -> str:
    """A line of text that is kept beside an entry: a topic, a reason."""
    return scrub(visible(unicodedata.normalize("NFKC", text))).text.strip()


def named(name: str) -> str:
    """A tenant's name or a source's, as it is kept: in lower case; one that reaches a person stays one and the same, and reaches nobody."""
    shown = visible(unicodedata.normalize("NFKC", name)).strip().casefold()
    clean = scrub(_LINE_END.sub("\n", _SPACES.sub(" ", shown)))
    return f"{clean.text}~{hashlib.sha256(shown.encode()).hexdigest()[:12]}" if clean.found else shown


def _of_disguise(text: str) -> list[str]:
    """Letters that pass for others, and languages that the patterns do not know."""
    words = _LETTERS.findall(text)
    flags = []
    if any(len({_script(letter) for letter in word}) > 1 for word in words):
        flags.append("mixed scripts")
    if _DIGIT_IN_A_WORD.search(text) and any(_is_order(text.translate(letters)) for letters in DIGITS_FOR_LETTERS):
        flags.append("digits for letters")
    foreign = any(_script(letter) != "LATIN" for word in words for letter in word)
    if foreign or (len(words) > 3 and not {word.lower() for word in words} & ENGLISH):
        flags.append("not in English")
    return flags


def _is_order(text: str) -> bool:
    return any(pattern.search(text) for _, pattern in INSTRUCTIONS)


def _script(letter: str) -> str:
    return unicodedata.name(letter, "?").split()[0]


def _names_one(text: str, names: Iterable[str]) -> bool:
    folded = text.casefold()
    return any(
        re.search(rf"(?<!\w){re.escape(name)}(?!\w)", folded) for name in map(str.casefold, names) if len(name) > 2 and name in folded
    )
