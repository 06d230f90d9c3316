"""What can be told of observations without a model: what somebody stated or corrected in so many words, and how often what was asked."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .book import Entry, line

MOST_STATEMENTS = 5
MOST_SAID = 3
MOST_TEXTS = 50
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_STATED = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        ("preference", r"(?:please |remember to |from now on,? )*((?:always|never|do not|don't) .+)"),
        ("preference", r"((?:i|we) (?:prefer|would rather|love|hate|dislike) .+)"),
        ("preference", r"((?:please )?call me .+)"),
        ("fact", r"(?:please )?(?:remember|note|keep in mind)(?: that|:)? (.+)"),
        ("fact", r"(?:no|actually|correction|sorry|in fact)[,:;]+ (?:actually,? )?(.+)"),
        ("fact", r"actually (.+)"),
        ("fact", r"((?:my|our) .{1,80}? (?:is|are|was|were|has|have|costs?|moved|changed|starts?|ends?) .+)"),
        ("fact", r"((?:i|we) (?:am|are|work|live|moved|use|have|own|run|started|switched|no longer) .+)"),
        ("fact", r"(.{2,80}? (?:is|are) now .+)"),
    )
)
_VERB = r"(?:is|are|was|were|will be|has|have|costs?|starts?|ends?)(?: now| no longer| not)?|(?:has |have )?(?:moved|changed) to"
_SAYS = re.compile(rf"^(.{{2,60}}?) (?:{_VERB}) ", re.IGNORECASE)
_DOES = re.compile(r"^(?:i|we) (?:now |have )?(live in|live at|moved to|work at|work for|work as)\b", re.IGNORECASE)
_WHERE = {"live in": "where i live", "live at": "where i live", "moved to": "where i live", "work as": "what i work as"}
_SMALL_TALK = re.compile(r"^(?:never mind|no,? thanks?|no problem|no worries|actually,? (?:no|never ?mind|forget it))\b", re.IGNORECASE)
_NOTHING = frozenset(
    ["i", "we", "you", "he", "she", "it", "they", "this", "that", "these", "those", "there", "here", "what", "who", "which"]
)
_LEADING = re.compile(r"^(?:(?:my|our|the|a|an|that|now|so|well|and|but)\s+)+", re.IGNORECASE)


def entries(observations: Iterable[Mapping[str, Any]]) -> Iterator[Entry]:
    """What a batch of observations says, oldest first."""
    batch = list(observations)
    for observation in batch:
        yield from _stated(observation)
    yield from _habits(batch)
    if batch:
        yield _episode(batch)


def _stated(observation: Mapping[str, Any]) -> Iterator[Entry]:
    """Statements, and what else was said: it may turn out to be what is asked for, and is the first to be forgotten."""
    stated = said = 0
    for sentence in (sentence for text in _texts(str(observation["request"])) for sentence in _SENTENCE.split(text)):
        if not 6 <= len(sentence.strip()) <= 400:
            continue
        if (found := statement(sentence)) and stated < MOST_STATEMENTS:
            stated += 1
            kind, text, about = found
            yield Entry(kind, text, str(observation["at"]), about=about, sources=(source(observation),))
        elif not found and said < MOST_SAID and len(sentence) <= 200 and len(sentence.split()) > 3 and not sentence.rstrip().endswith("?"):
            said += 1
            yield Entry("episode", f"Said: {line(sentence)}", str(observation["at"]), sources=(source(observation),))


def _texts(request: str) -> list[str]:
    """The words in a request: all of it, or the texts in its JSON; of a chat, what its user said."""
    if request[:1] not in ("{", "["):
        return [request]
    try:
        return list(itertools.islice(_leaves(json.loads(request)), MOST_TEXTS))
    except (ValueError, RecursionError):
        return [request]


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part)
    elif isinstance(value, dict) and value.get("role", "user") == "user":
        for name, part in value.items():
            if name != "role":
                yield from _leaves(part)


def statement(sentence: str) -> tuple[str, str, str] | None:
    """(kind, text, about) of a sentence in which somebody states something to be kept; None for others, questions above all."""
    sentence = line(sentence)
    if sentence.endswith("?") or _SMALL_TALK.match(sentence):
        return None
    for kind, pattern in _STATED:
        if found := pattern.match(sentence):
            text = found[1].strip()
            inner = statement(text) if kind == "fact" and text != sentence else None
            return inner or (kind, text[0].upper() + text[1:], about(text))
    return None


def about(text: str) -> str:
    """What a statement says something of: what stands before its verb. Empty if that cannot be told."""
    if text.casefold().startswith(("call me ", "please call me ")):
        return "what to call me"
    if does := _DOES.match(text):
        return _WHERE.get(does[1].casefold(), "where i work")
    says = _SAYS.match(text)
    found = _LEADING.sub("", says[1]).strip().casefold() if says else ""
    return "" if found in _NOTHING else found


def source(observation: Mapping[str, Any]) -> str:
    """Where something comes from."""
    return f"{observation['id']} {observation['at']}"


def asked(observation: Mapping[str, Any]) -> str:
    """What a request was for, as it is counted: its route where one is known, or its words where they are few."""
    metadata = observation.get("metadata") or {}
    route = " ".join(str(metadata[name]) for name in ("method", "path") if metadata.get(name))
    return line(route or str(observation["request"]), 120)


def _habits(batch: list[Mapping[str, Any]]) -> Iterator[Entry]:
    counts: Counter[str] = Counter()
    latest: dict[str, Mapping[str, Any]] = {}
    for observation in batch:
        if what := asked(observation):
            counts[what] += 1
            latest[what] = observation
    for what, count in counts.items():
        yield Entry("habit", what, str(latest[what]["at"]), seen=count, sources=(source(latest[what]),))


def _episode(batch: list[Mapping[str, Any]]) -> Entry:
    counts = Counter(filter(None, map(asked, batch)))
    failed = sum(str((observation.get("metadata") or {}).get("status", ""))[:1] in ("4", "5") for observation in batch)
    most = "; ".join(f"{what} ({count})" if count > 1 else what for what, count in counts.most_common(3))
    said = f"{len(batch)} request{'s' if len(batch) != 1 else ''}{f', {failed} failed' if failed else ''}: {most}"
    return Entry("episode", line(said), str(batch[0]["at"]), sources=(source(batch[0]), source(batch[-1]))[: len(batch)])
