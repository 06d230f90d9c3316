"""What is done with a memory, one command a call: JSON comes on standard input and goes to standard output."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from . import extract
from .book import MAX_TEXT, Book, Entry, line
from .store import Full, Store

FOLDER = Path("/workspace/home/memory")
MOST_FACTS = 50
MOST_ROUNDS = 5
Answer = dict[str, Any]


def main(arguments: list[str], folder: Path = FOLDER) -> int:
    """Run a command; 0, or 1 with `{"error": …}` on standard output."""
    try:
        given = json.load(sys.stdin) if arguments[1:] == ["-"] else {}
        store = Store(folder)
        with store.open(now()) as book:
            answer = COMMANDS[arguments[0]](store, book, given)
    except Full as error:
        answer = {"error": str(error), "kind": "full"}
    except KeyError as error:
        answer = {"error": f"there is no {error.args[0]}", "kind": "missing"}
    except (OSError, ValueError, TypeError, subprocess.SubprocessError) as error:
        answer = {"error": f"{type(error).__name__}: {error}", "kind": "broken"}
    json.dump(answer, sys.stdout)
    return 1 if "error" in answer else 0


def now() -> str:
    """UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def add(store: Store, _: Book, given: Answer) -> Answer:
    """Keep a batch: {batch, observations}. Says how many wait."""
    lines = "".join(json.dumps(observation) + "\n" for observation in given["observations"])
    known = not store.add(line(str(given["batch"])).replace("/", "-"), lines.encode())
    return {"known": known, "waiting": store.waiting()[0]}


def pending(store: Store, book: Book, _: Answer) -> Answer:
    """The batches to be digested next, and what is known, for a model to read: {batches, observations, entries}."""
    batches, observations = store.batch()
    known = _told(entry for entry in book.entries if not entry.until and entry.kind != "episode")
    return {"batches": batches, "observations": observations, "entries": known, "heard": store.heard()}


def apply(store: Store, book: Book, given: Answer) -> Answer:
    """Learn what a model made of batches: {batches, digest, by}. Nothing twice: not if one of them is known already."""
    batches, observations = store.batch(given["batches"])
    if not batches:
        return {"learned": 0, "refused": 0, "applied": False}
    known = {observation["id"]: observation for observation in observations}
    learned = refused = 0
    for kind, said in _claims(given["digest"]):
        found = [known[ref] for ref in said.get("from", ()) if ref in known]
        text = line(str(said.get("text", "")))
        if not found or not text:  # without an observation behind it, it is the model's own
            refused += 1
            continue
        sources = tuple(map(extract.source, found[:1] + found[1:][-1:]))
        book.learn(Entry(kind, text, found[0]["at"], about=line(str(said.get("about", "")), 80), sources=sources))
        learned += 1
    for entry in extract.entries(observations):
        if entry.kind in ("habit", "episode"):  # counting needs no model
            book.learn(_with(entry, given["digest"].get("episode")))
    without = f"; {refused} claims that no observation shows were left out" if refused else ""
    store.save(book, f"{len(observations)} observations, digested by {line(str(given['by']), 80)}{without}", batches)
    return {"learned": learned, "refused": refused, "applied": True}


def _claims(digest: Answer) -> list[tuple[str, Answer]]:
    said = [(kind, one) for kind, name in (("fact", "facts"), ("preference", "preferences")) for one in digest.get(name) or ()]
    return [(kind, one) for kind, one in said if isinstance(one, dict)][:MOST_FACTS]


def _with(entry: Entry, episode: object) -> Entry:
    words = line(str(episode or ""))
    return dataclasses.replace(entry, text=line(f"{entry.text}. {words}", MAX_TEXT)) if entry.kind == "episode" and words else entry


def digest(store: Store, book: Book, _: Answer) -> Answer:
    """Learn from batches that wait, without a model: what was stated and corrected in so many words, and how often what was asked."""
    learned = 0
    for _round in range(MOST_ROUNDS):
        batches, observations = store.batch()
        if not batches:
            break
        for entry in extract.entries(observations):
            book.learn(entry)
            learned += entry.kind in ("fact", "preference")
        store.save(book, f"{len(observations)} observations, without a model", batches)
    return {"learned": learned, "waiting": store.waiting()[0]}


def read(store: Store, book: Book, given: Answer) -> Answer:
    """All entries, and what waits; only `same: true` if nothing has changed since `unless`."""
    told = _told(book.entries)
    version = hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]
    about = {"version": version, "waiting": store.waiting()[0], "heard": store.heard()}
    return {**about, "same": True} if given.get("unless") == version else {**about, "entries": told}


def use(store: Store, book: Book, given: Answer) -> Answer:
    """Count that entries were given to the agent: {ids}; `heard` are those of shared knowledge that it was given."""
    ids = set(given["ids"])
    book.entries = [dataclasses.replace(entry, uses=entry.uses + 1) if entry.id in ids else entry for entry in book.entries]
    store.save(book, "used", heard=[line(str(name), 40).replace(" ", "") for name in given.get("heard", ())])
    return {}


def correct(store: Store, book: Book, given: Answer) -> Answer:
    """Somebody says what is so instead: {id, text}."""
    entry = book.correct(given["id"], given["text"], now(), f"by hand {now()}")
    store.save(book, "corrected by hand")
    return _told([entry])[0]


def learn(store: Store, book: Book, given: Answer) -> Answer:
    """Somebody states something: {kind, text, about, source}."""
    text = line(str(given["text"]))
    where = f"{line(str(given.get('source') or 'by hand'), 100)} {now()}"
    entry = book.learn(Entry(given["kind"], text, now(), about=line(str(given.get("about") or extract.about(text)), 80), sources=(where,)))
    store.save(book, "told by hand")
    return _told([entry])[0]


def forget(store: Store, book: Book, given: Answer) -> Answer:
    """Forget an entry, in all versions: {id}."""
    gone = book.drop(given["id"])
    store.save(book, "forgotten on request")
    store.purge("forgotten on request; what was before is gone")
    return _told([gone])[0]


def log(store: Store, _: Book, given: Answer) -> Answer:
    """The latest changes."""
    return {"changes": store.log(int(given.get("limit", 20)))}


def _told(entries: Any) -> list[Answer]:
    return [dataclasses.asdict(entry) for entry in entries]


COMMANDS: dict[str, Callable[[Store, Book, Answer], Answer]] = {
    command.__name__: command for command in (add, pending, apply, digest, read, use, correct, learn, forget, log)
}
