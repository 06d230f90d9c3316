"""Characters a reader does not see: bidirectional overrides and invisible tags, in any language.

They make code read otherwise than it runs ("Trojan Source"), or carry instructions to models that read it.
"""

from __future__ import annotations

import re

from .model import Context, Outcome, Place, Raw

_HIDDEN = {
    "bidirectional-control": re.compile("[\u202a-\u202e\u2066-\u2069]"),
    "invisible-characters": re.compile("[\U000e0001-\U000e007f]|[\u200b\u2060-\u2064\ufeff]{3,}"),
}


def collect(context: Context) -> Outcome:
    """One result for each added line that has such characters."""
    outcome = Outcome()
    for index, change in enumerate(context.changes):
        if change.head is None or change.head.isascii():
            continue
        for number, line in enumerate(change.head.split(b"\n"), 1):
            if line.isascii() or not change.touches(number, number):
                continue
            outcome.results += _in_line(Place("head", index), number, line.decode("utf-8", "replace"))
    return outcome


def _in_line(place: Place, number: int, text: str) -> list[Raw]:
    found = []
    for rule, pattern in _HIDDEN.items():
        if match := pattern.search(text):
            codes = " ".join(f"U+{ord(char):04X}" for char in match[0][:4])
            found.append(Raw(place, rule, number, number, f"the line holds {codes}", {"name": codes}))
    return found
