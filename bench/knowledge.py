"""Search in 10,000 entries, beside a scan of all of them in the same run; and what a proposal and a start cost with as many."""

from __future__ import annotations

import asyncio
import random
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from box_review.knowledge import Entry, Proposal, Support

from bench.measure import tell
from bot.knowledge.desk import Desk, Person
from bot.knowledge.history import Deed
from bot.knowledge.sameness import signature
from tests.bot.knowledge.pairs import DIFFERENT, SAME

ENTRIES, QUESTIONS, PROPOSALS = 10_000, 300, 50
TARGET_MS = 20.0
_T = TypeVar("_T")
SCOPE = "t" + "0" * 20
ME = Person(SCOPE, "bench")
_WORD = re.compile(r"\w+")
_FIXED = re.compile(r"[-+]?\d[\d.,:]*%?|`[^`]*`|\"[^\"]*\"|\b(?:not|no|never|none|without|cannot)\b|n't")
_PLACES = (
    "shop",
    "warehouse",
    "billing",
    "search",
    "cart",
    "login",
    "checkout",
    "import",
    "export",
    "catalogue",
    "payment",
    "delivery",
    "newsletter",
    "archive",
    "gateway",
)
_DEEDS = ("needs", "refuses", "logs", "retries", "caches", "sorts", "rejects", "returns", "renames", "archives")
_THINGS = (
    "orders",
    "invoices",
    "prices",
    "images",
    "sessions",
    "tokens",
    "rows",
    "files",
    "batches",
    "customers",
    "reports",
    "labels",
    "queues",
    "parcels",
    "vouchers",
)
_WHEN = ("on Mondays", "at night", "after the import", "before a deploy", "in the staging area", "for customers in the north")


async def run(folder: Path) -> None:
    """Measure on a store of its own."""
    _sameness()
    chance = random.Random(1)
    entries = [_entry(chance, number) for number in range(ENTRIES)]
    desk = Desk(folder / "knowledge", needed=3, shares=False)
    with desk.store.changing() as writing:
        writing.keep(SCOPE, entries, Deed("published", tuple(entry.id for entry in entries)))
    questions = [_question(chance) for _ in range(QUESTIONS)]
    ours = await asyncio.to_thread(_times, lambda question: desk.find(ME, question, "published", 10), questions)
    scan = await asyncio.to_thread(_times, lambda question: _scan(entries, question, 10), questions)
    for name, at in (("p50", 50), ("p99", 99)):
        figure, baseline = _percentile(ours, at), _percentile(scan, at)
        more = {"scan_ms": round(baseline, 2), "times_faster": round(baseline / figure, 1), "entries": ENTRIES, "questions": QUESTIONS}
        tell(f"knowledge search {name}", figure, TARGET_MS, "ms", **more)
    proposals = [Proposal(tenant="bench", text=f"The cart of the bench holds {number} rows.") for number in range(PROPOSALS)]
    took = await asyncio.to_thread(_times, lambda proposal: desk.propose(ME, proposal), proposals)
    tell("knowledge proposal, committed and on the disk, p50", _percentile(took, 50), 100.0, "ms", p99_ms=round(_percentile(took, 99), 1))
    desk.store.close()
    again = Desk(folder / "knowledge", needed=3, shares=False)
    [start] = await asyncio.to_thread(_times, lambda question: again.find(ME, question, "published", 10), questions[:1])
    tell("knowledge, first use after a start", start, 10_000.0, "ms", entries=ENTRIES)
    again.store.close()


def _entry(chance: random.Random, number: int) -> Entry:
    words = [chance.choice(words) for words in (_PLACES, _DEEDS, _THINGS, _WHEN)]
    said = f"The {words[0]} of branch {number} {words[1]} {words[2]} {words[3]}"
    text = f"{said}, {chance.randint(2, 90)} at a time, and tells the {chance.choice(_PLACES)}."
    now = datetime.now(UTC)
    support = tuple(Support(tenant=f"tenant-{chance.randint(0, 999)}-{count}", at=now, refs=(f"ask-{number}",)) for count in range(3))
    return Entry(id=f"kn-{number:016x}", text=text, state="published", scope=SCOPE, support=support, created_at=now, published_at=now)


def _question(chance: random.Random) -> str:
    words = [chance.choice(words) for words in (_PLACES, _THINGS, _WHEN)]
    return f"What does the {words[0]} of branch {chance.randrange(ENTRIES)} do with {words[1]} {words[2]}?"


def _scan(entries: Sequence[Entry], question: str, limit: int) -> list[Entry]:
    """What one would do without an index: count the words that each text shares with the question."""
    wanted = Counter(_WORD.findall(question.lower()))
    return sorted(entries, key=lambda entry: -sum((wanted & Counter(_WORD.findall(entry.text.lower()))).values()))[:limit]


def _sameness() -> None:
    """How many pairs our rule joins, and what counting shared words would."""
    rules: dict[str, Callable[[str, str], bool]] = {
        "ours": lambda one, other: signature(one) == signature(other),
        "shared words 0.6": lambda one, other: _shared(one, other) >= 0.6,
        "shared words 0.8": lambda one, other: _shared(one, other) >= 0.8,
        "shared words 0.8, equal numbers, quotes, negations": lambda one, other: (
            _shared(one, other) >= 0.8 and _fixed(one) == _fixed(other)
        ),
    }
    for name, joins in rules.items():
        same, different = (sum(joins(*pair) for pair in pairs) for pairs in (SAME, DIFFERENT))
        tell("knowledge, different texts joined", different, 0, "pairs", rule=name, of=len(DIFFERENT), same_joined=same, same_of=len(SAME))


def _shared(one: str, other: str) -> float:
    words, others = (set(_WORD.findall(text.lower())) for text in (one, other))
    return len(words & others) / len(words | others)


def _fixed(text: str) -> list[str]:
    return sorted(_FIXED.findall(text.lower()))


def _times(work: Callable[[_T], object], given: Sequence[_T]) -> list[float]:
    took = []
    for one in given:
        started = time.perf_counter()
        work(one)
        took.append((time.perf_counter() - started) * 1000)
    return took


def _percentile(times: Sequence[float], at: int) -> float:
    return times[0] if len(times) == 1 else statistics.quantiles(times, n=100, method="inclusive")[at - 1]
