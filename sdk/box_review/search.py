"""Ranked search over short texts, by BM25: SQLite's FTS5, in memory.

index = Index()
index.add("f-1", "Invoices are sent on Mondays.")
index.find("when are invoices sent?", limit=5)      # [Hit(id="f-1", score=…)]
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass

_WORD = re.compile(r"\w+")
_MOST_WORDS = 64
_MANY = 1000
# Words that stand in nearly every question; SQLite weighs them little, but looks at every text that has one.
_COMMON_WORDS = """
a an and are as at be but by can did do does for from had has have how i if in is it its me my of on or our shall should so that the their
them then there they this to was we were what when where which who whom whose why will with would you your
"""
_COMMON = frozenset(_COMMON_WORDS.split())


@dataclass(frozen=True, slots=True)
class Hit:
    """A text that fits; `score` is BM25's, more is better, and comparable within one search only."""

    id: str
    score: float


class Index:
    """Texts by id. May be used by several threads."""

    def __init__(self, texts: Iterable[tuple[str, str]] = ()) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(":memory:", check_same_thread=False)
        self._database.execute("CREATE VIRTUAL TABLE texts USING fts5(id UNINDEXED, text, tokenize = 'porter unicode61')")
        self._rows: dict[str, int] = {}
        self.fill(texts)

    def __len__(self) -> int:
        return len(self._rows)

    def fill(self, texts: Iterable[tuple[str, str]]) -> None:
        """Many texts at once, as (id, text)."""
        for ident, text in texts:
            self.add(ident, text)

    def add(self, ident: str, text: str) -> None:
        """A text; it replaces the one of the same id."""
        with self._lock:
            self._drop(ident)
            self._rows[ident] = int(self._database.execute("INSERT INTO texts (id, text) VALUES (?, ?)", (ident, text)).lastrowid or 0)

    def drop(self, ident: str) -> None:
        """A text less; no error if there is none such."""
        with self._lock:
            self._drop(ident)

    def find(self, question: str, limit: int) -> list[Hit]:
        """The texts that fit a question best, best first; none if no word of it stands anywhere."""
        words = _words(question)
        if not words:
            return []
        with self._lock:
            telling = self._telling(words)
            found = self._best(telling, limit)
            return found if len(found) >= limit or telling == words else self._best(words, limit)

    def close(self) -> None:
        """Gives the memory back."""
        self._database.close()

    def _telling(self, words: list[str]) -> list[str]:
        """Without words of more than half of many texts: BM25 gives them no weight, but looks at every text that has one."""
        if len(self) < _MANY:
            return words
        counted = "SELECT count(*) FROM (SELECT 1 FROM texts WHERE texts MATCH ? LIMIT ?)"
        most = len(self) // 2
        found = {word: self._database.execute(counted, (f'"{word}"', most + 1)).fetchone()[0] for word in words}
        return [word for word in words if 0 < found[word] <= most] or words

    def _best(self, words: list[str], limit: int) -> list[Hit]:
        query = " OR ".join(f'"{word}"' for word in words)  # quoted, so that nothing in it is an operator
        found = self._database.execute("SELECT id, bm25(texts) FROM texts WHERE texts MATCH ? ORDER BY 2, rowid LIMIT ?", (query, limit))
        return [Hit(ident, -score) for ident, score in found]

    def _drop(self, ident: str) -> None:
        row = self._rows.pop(ident, None)
        if row is not None:
            self._database.execute("DELETE FROM texts WHERE rowid = ?", (row,))


def _words(question: str) -> list[str]:
    """The words to look for: those that tell something, or all where none does; each once."""
    every = list(dict.fromkeys(word.lower() for word in _WORD.findall(question)))
    return ([word for word in every if word not in _COMMON] or every)[:_MOST_WORDS]
