"""Answers with a memory, with everything that was ever said, and with plain search, on generated questions about a long history.

No model answers here: a fixed reader takes, of the lines it is given, the latest that names what is asked for, and reads the value off it.
So the figures tell what reaches a model and what it costs in tokens, not how well a model reads.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from box_review.agent_server import AgentServer
from box_review.agent_server.recall import MOST_TOKENS
from box_review.search import Index

from bench.measure import tell
from tests.server import Server

SEED, SESSIONS, TURNS = 7, 60, 10
_VALUES = """
amber basalt cedar delta ember flint garnet harbor indigo jasper kestrel lagoon maple nectar onyx pepper quartz raven saffron tundra umber
velvet willow xenon yarrow zephyr acorn birch cobalt dune
"""
VALUES = _VALUES.split()
THINGS = (
    """
billing plan|office|favourite tea|team lead|deploy window|database|mascot|budget code|meeting room|backup vault|newsletter colour
test host|release name|support tier|invoice currency|parking spot|desk plant|coffee roast|shift pattern|warehouse|print queue
ticket prefix|alert channel|staging cluster|locker|badge colour|bus line|lunch place|training course|domain registrar
""".strip()
    .replace("\n", "|")
    .split("|")
)
# The last two are no statements to the extraction that works without a model; people talk like that too.
SAID = (
    "My {thing} is {value}.",
    "Actually, our {thing} is {value}.",
    "Remember that our {thing} is {value}.",
    "The {thing} is now {value}.",
)
SAID_OTHERWISE = ("We went with {value} for the {thing} in the end.", "About the {thing}: they gave us {value}!")
CHATTER = (
    "Can you list the open orders?", "Thanks, that helps.", "What is the {thing} of our partners called?", "Show me last week's report.",
    "My colleague asked about the {thing} today.", "Is there news on the {thing}?", "Please export the table.", "I will be away tomorrow.",
)  # fmt: skip


@dataclass(frozen=True)
class Turn:
    """Something said, and when."""

    at: datetime
    text: str


@dataclass(frozen=True)
class Question:
    """What is asked at the end, and the value that is right; None where nobody ever said."""

    kind: str
    text: str
    thing: str
    value: str | None


def history(seed: int = SEED) -> tuple[list[Turn], list[Question]]:
    """Sessions in which things are stated, changed and chatted about; and questions about how it stands."""
    dice, now = random.Random(seed), datetime(2026, 1, 5, 9, tzinfo=UTC)
    turns: list[Turn] = []
    stands: dict[str, list[str]] = {}
    stated = [thing for thing in THINGS[:25] for _ in range(dice.choice((1, 1, 2, 3)))]
    dice.shuffle(stated)
    due = sorted(dice.sample(range(SESSIONS * TURNS), len(stated)))
    for at in range(SESSIONS * TURNS):
        moment = now + timedelta(days=3 * (at // TURNS), minutes=at % TURNS)
        if due and due[0] == at:
            due.pop(0)
            thing = stated.pop()
            value = dice.choice([value for value in VALUES if value not in stands.get(thing, ())])
            stands.setdefault(thing, []).append(value)
            form = dice.choice(SAID_OTHERWISE if dice.random() < 0.2 else SAID)
            turns.append(Turn(moment, form.format(thing=thing, value=value)))
        else:
            turns.append(Turn(moment, dice.choice(CHATTER).format(thing=dice.choice(THINGS))))
    return turns, list(_questions(stands))


def _questions(stands: dict[str, list[str]]) -> Sequence[Question]:
    asked = []
    for thing in THINGS:
        values = stands.get(thing, [])
        kind = "never said" if not values else "said once" if len(values) == 1 else "changed"
        for form in ("What is my {thing}?", "Which {thing} do we have now?", "Tell me the current {thing}.", "{thing}?"):
            asked.append(Question(kind, form.format(thing=thing), thing, values[-1] if values else None))
    return asked


def read(lines: Sequence[Turn], question: Question) -> str | None:
    """The fixed reader: of the latest line that names the thing and a value, the value."""
    for line in sorted(lines, key=lambda line: line.at, reverse=True):
        words = set(line.text.casefold().replace(".", " ").replace("!", " ").replace(",", " ").split())
        if question.thing in line.text.casefold() and (found := [value for value in VALUES if value in words]):
            return found[0]
    return None


def tokens(lines: Sequence[Turn]) -> int:
    """As the memory counts them."""
    return sum(len(line.text) + 90 for line in lines) // 3


async def run(folder: Path) -> None:
    """Measure on a server of its own."""
    await asyncio.to_thread(_run, folder)


def _run(folder: Path) -> None:
    turns, questions = history()
    index = Index((str(number), turn.text) for number, turn in enumerate(turns))
    with Server(folder / "d", BOX_DRIVER="bubblewrap") as server, AgentServer("bench", address=server.address) as agent:
        for start in range(0, len(turns), TURNS):  # a session each, as they happened
            batch = [
                {"id": f"o-{number}", "at": turn.at.strftime("%Y-%m-%dT%H:%M:%SZ"), "request": turn.text, "response": "ok", "metadata": {}}
                for number, turn in enumerate(turns[start : start + TURNS], start)
            ]
            agent.tenant_box.remember("add", batch=f"{start:06d}", observations=batch)
        agent.digest()
        ways: dict[str, Callable[[Question], list[Turn]]] = {
            "memory": lambda question: [
                Turn(datetime.fromisoformat(entry.since), entry.text) for entry in agent.memory().recall(question.text) if entry.holds
            ],
            "everything": lambda _: turns,
            "search": lambda question: [turns[int(hit.id)] for hit in index.find(question.text, 10)],
        }
        for name, lines in ways.items():
            _tell(name, [(question, given := lines(question), read(given, question)) for question in questions], len(turns))


def _tell(name: str, answers: Sequence[tuple[Question, list[Turn], str | None]], turns: int) -> None:
    wrong = dict.fromkeys(("said once", "changed", "never said"), 0)
    count = dict(wrong)
    for question, _, said in answers:
        count[question.kind] += 1
        wrong[question.kind] += said != question.value
    used = sum(tokens(lines) for _, lines, _ in answers) / len(answers)
    more = {f"wrong, {kind}": f"{wrong[kind]} of {count[kind]}" for kind in wrong}
    tell(f"wrong answers, {name}", 100 * sum(wrong.values()) / len(answers), 5, "%", questions=len(answers), turns=turns, **more)
    tell(f"tokens a question, {name}", used, MOST_TOKENS, "")
