"""The folder a memory lies in: Markdown under git, and a spool of observations that are not digested yet."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .book import KINDS, Book, parse, render

MAX_SPOOL_BYTES = 32 << 20
MAX_BATCH_BYTES = 64 << 10
KEPT_BATCHES = 1000
KEPT_HEARD = 20
_GIT_S = 30


class Full(Exception):
    """There is no room for more observations until some are digested."""


class Store:
    """One memory. Every use holds the lock, so two processes cannot lose each other's changes.

    A change is one commit. `writing` lies there while files are written: where a crash has left it, files go back to the last commit;
    where files differ without it, somebody has edited them, and that is committed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._spool = folder / "spool"
        self._writing = folder / "writing"
        self._digested = folder / "digested"
        self._heard = folder / "heard"
        self._lock = -1

    @contextlib.contextmanager
    def open(self, now: str) -> Iterator[Book]:
        """The book, for one process at a time."""
        self._spool.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._lock = lock.fileno()
            self._put_right()
            edited = self._digest() != self._written()
            if edited:
                self._git("add", "-A")
                self._git("commit", "-q", "--allow-empty", "-m", "edited by hand")
            book = Book(sorted((entry for kind in KINDS for entry in parse(kind, self._text(kind), now)), key=lambda entry: entry.since))
            if edited:  # what was written by hand has a name and a time from now on
                self.save(book, "read after an edit")
            yield book

    def _put_right(self) -> None:
        """Begin, or go back to the last commit where a crash came in between. Who has the lock has git to himself."""
        for left in (self.folder / ".git").rglob("*.lock"):
            left.unlink()
        if not any((self.folder / ".git" / name).exists() for name in ("refs/heads/main", "packed-refs")):
            self._begin()
        if self._writing.exists():
            self._git("reset", "-q", "--hard")
            self._note_written()
            self._writing.unlink()

    def _digest(self) -> str:
        """Of the files as they are: telling an edit from none takes git ten times as long."""
        return hashlib.sha256("\0".join(map(self._text, KINDS)).encode("utf-8", "replace")).hexdigest()

    def _written(self) -> str:
        path = self.folder / ".git" / "written"
        return path.read_text() if path.exists() else ""

    def _note_written(self) -> None:
        self._write(self.folder / ".git" / "written", self._digest())

    def _text(self, kind: str) -> str:
        path = self._file(kind)
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def _begin(self) -> None:
        (self.folder / ".gitignore").write_text("spool/\nlock\nwriting\ndraft\n")  # first: raw observations belong in no history
        self._git("init", "-q", "-b", "main")
        self._git("add", "-A")
        self._git("commit", "-q", "-m", "an empty memory")
        self._note_written()

    def save(self, book: Book, why: str, digested: tuple[str, ...] = (), heard: Iterable[str] = ()) -> None:
        """Commit the book, and with it which batches are in it, and what its agent has heard from others."""
        book.shrink()
        self._writing.touch()
        for kind in KINDS:
            self._write(self._file(kind), render(kind, book.of(kind)))
        if digested:
            known = [*self.digested(), *digested][-KEPT_BATCHES:]
            self._write(self._digested, "".join(f"{name}\n" for name in known))
        if new := [name for name in heard if name not in self.heard()]:
            self._write(self._heard, "".join(f"{name}\n" for name in [*self.heard(), *new][-KEPT_HEARD:]))
        self._git("add", "-A")
        if self._git("status", "--porcelain"):
            gone = f" ({book.forgotten} forgotten)" if book.forgotten else ""
            self._git("commit", "-q", "-m", why + gone)
        self._note_written()
        self._writing.unlink()
        for name in digested:
            (self._spool / name).unlink(missing_ok=True)

    def purge(self, why: str) -> None:
        """Make the present state the first: what was forgotten on request is in no earlier version either."""
        tree = self._git("write-tree").strip()
        root = self._git("commit-tree", tree, "-m", why).strip()
        self._git("update-ref", "refs/heads/main", root)
        self._git("reflog", "expire", "--expire=now", "--all")
        self._git("gc", "-q", "--prune=now")

    def log(self, limit: int) -> list[dict[str, str]]:
        """The latest changes, latest first."""
        lines = self._git("log", f"-{limit}", "--format=%H%x09%cI%x09%s").splitlines()
        return [dict(zip(("commit", "at", "why"), text.split("\t", 2), strict=True)) for text in lines]

    def digested(self) -> list[str]:
        """Batches that are in the memory already; the latest of them."""
        return self._digested.read_text().split() if self._digested.exists() else []

    def heard(self) -> list[str]:
        """Entries of shared knowledge that the agent was told, the latest of them: what it learns may come from there."""
        return self._heard.read_text().split() if self._heard.exists() else []

    def add(self, batch: str, lines: bytes) -> bool:
        """Keep a batch of observations; False if it is known already. Raises Full."""
        path = self._spool / batch
        if path.exists() or batch in self.digested():
            return False
        if self.waiting()[1] + len(lines) > MAX_SPOOL_BYTES:
            raise Full(f"{MAX_SPOOL_BYTES >> 20} MB of observations wait to be digested")
        self._write(path, lines.decode("utf-8", "replace"))
        return True

    def waiting(self) -> tuple[int, int]:
        """How many batches wait, and their bytes."""
        sizes = [path.stat().st_size for path in self._spool.iterdir()]
        return len(sizes), sum(sizes)

    def batch(self, wanted: Sequence[str] = ()) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
        """The oldest batches that wait, as many as are read at once, and what is in them. What cannot be read is left out.

        With `wanted` these and no others; none if one of them waits no longer.
        """
        known = set(self.digested())
        names: list[str] = []
        observations: list[dict[str, Any]] = []
        size = 0
        for path in sorted(self._spool.iterdir()):
            if path.name in known:  # a crash came between commit and removal
                path.unlink()
                continue
            if wanted and path.name not in wanted:
                continue
            size += path.stat().st_size
            if names and size > MAX_BATCH_BYTES and not wanted:
                break
            names.append(path.name)
            observations += _observations(path)
        if wanted and set(names) != set(wanted):
            return (), []
        return tuple(names), sorted(observations, key=lambda observation: observation["at"])

    def _file(self, kind: str) -> Path:
        return self.folder / f"{KINDS[kind].lower()}.md"

    def _write(self, path: Path, text: str) -> None:
        draft = self.folder / "draft"
        with draft.open("w", encoding="utf-8", errors="replace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)

    def _git(self, *words: str) -> str:
        settings = ("user.name=memory", "user.email=memory@box", "core.hooksPath=/dev/null", "gc.auto=0", "safe.directory=*")
        argv = ["git", *(word for setting in settings for word in ("-c", setting)), *words]
        environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(
            argv, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=_GIT_S,
            pass_fds=(self._lock,),  # git that outlives its caller keeps the lock
        )  # fmt: skip
        if done.returncode:
            raise OSError(f"git {words[0]}: {done.stderr.strip()[-300:]}")
        return done.stdout


def _observations(path: Path) -> Iterator[dict[str, Any]]:
    for text in path.read_text("utf-8", "replace").splitlines():
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict) and all(isinstance(found.get(name), str) for name in ("id", "at", "request", "response")):
            yield found
