"""The store: files in git, and in memory what the newest commit says.

A change is written like this, under the lock: the paths into `.git/pending`, the files, one commit, memory. Who takes the lock next and
finds `pending` knows that a writer died in between: whole files are committed, half of one cannot be, and what is no entry is set aside.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import structlog
from box_review.knowledge import Change, Entry, Revoked, RevokedList

from bot.errors import Refused
from bot.knowledge import files
from bot.knowledge.history import Deed, History
from bot.knowledge.lock import Lock, check_place
from bot.knowledge.shelf import Shelf

TIDY_EVERY = 50
log = structlog.get_logger()


class Writing:
    """What may be done while the store is held for a change."""

    def __init__(self, store: Store, hold: int) -> None:
        self._store, self._hold = store, hold

    def shelf(self, scope: str) -> Shelf:
        """A scope as it is now."""
        return self._store.shelf(scope)

    @property
    def scopes(self) -> list[str]:
        """All of them."""
        return self._store.scopes

    def keep(self, scope: str, entries: Sequence[Entry], deed: Deed, revoked: tuple[Revoked, ...] | None = None) -> None:
        """Keep entries of one scope, and its revoked sources where they are given; one commit. Nothing is kept if it fails."""
        self._store.keep(scope, entries, deed, revoked, self._hold)


class Store:
    """The knowledge of all organisations of a server. May be used by several threads and processes of one machine.

    Args:
        settle: finishes what a crash has cut off, once files and commits are in order again.

    Raises:
        Refused: 503 where git or the lock fails, and where the folder lies where no lock holds.
    """

    def __init__(self, folder: Path, settle: Callable[[Writing], None] = lambda _: None) -> None:
        self.folder = folder
        self._settle = settle
        self._history = History(folder)
        self._lock: Lock | None = None
        self._memory = threading.RLock()
        self._shelves: dict[str, Shelf] = {}
        self._seen = ""
        self._kept = 0
        self._opening = threading.Lock()

    @contextlib.contextmanager
    def changing(self) -> Iterator[Writing]:
        """The store for one change after the other, as the newest commit has it."""
        with _telling(), self._ready().held() as hold:
            self._catch_up(hold)
            yield Writing(self, hold)
            if self._kept >= TIDY_EVERY:
                self._tidy(hold)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Store]:
        """The store for looking at, as the newest commit has it."""
        with _telling():
            lock = self._ready()
            if self._history.head() != self._seen:
                with lock.held() as hold:
                    self._catch_up(hold)
        with self._memory:
            yield self

    @property
    def scopes(self) -> list[str]:
        """All that have anything."""
        return list(self._shelves)

    def shelf(self, scope: str) -> Shelf:
        """One scope; an empty one where nothing is known of it."""
        with self._memory:
            return self._shelves.get(scope) or Shelf(scope)

    def log(self, scope: str, limit: int) -> list[Change]:
        """The newest changes of a scope."""
        with _telling():
            self._ready()
            return self._history.log(scope, limit)

    def close(self) -> None:
        """Give memory back; what is on disk needs no closing."""
        with self._memory:
            for shelf in self._shelves.values():
                shelf.close()
            self._shelves, self._seen = {}, ""

    def keep(self, scope: str, entries: Sequence[Entry], deed: Deed, revoked: tuple[Revoked, ...] | None, hold: int) -> None:
        """See `Writing.keep`."""
        paths = [files.path_of(entry) for entry in entries] + ([f"{scope}/{files.REVOKED}"] if revoked is not None else [])
        if not paths:
            return
        self._pending.write_text("\n".join(paths), "utf-8")
        try:
            for entry in entries:
                files.write(self.folder, files.path_of(entry), entry)
            if revoked is not None:
                files.write(self.folder, f"{scope}/{files.REVOKED}", RevokedList(revoked=revoked))
            before = self._history.head()
            head = self._history.commit(paths, deed, hold)
        except BaseException:
            # Nobody was told that it is kept, so it is not: a full disk or a git that fails leaves what was there.
            with contextlib.suppress(Exception):
                self._take_back(paths, hold)
            raise
        self._pending.unlink()
        self._kept += 1
        with self._memory:
            self._put(entries, scope, revoked)
            if before == self._seen:  # else a person has committed meanwhile, which the next who looks takes up
                self._seen = head

    @property
    def _pending(self) -> Path:
        return self._history.inner / "pending"

    def _ready(self) -> Lock:
        """The lock; the first call makes the repository and puts right what a crash has left."""
        with self._opening:
            if self._lock is None:
                self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                check_place(self.folder)
                lock = Lock(self.folder / ".lock")
                with lock.held() as hold:
                    self._history.unlock()
                    self._history.begin(hold)
                    self._ignore_the_lock()
                    self._put_right(hold)
                    self._catch_up(hold)
                    self._settle(Writing(self, hold))
                self._lock = lock
            return self._lock

    def _ignore_the_lock(self) -> None:
        exclude = self._history.inner / "info" / "exclude"
        exclude.parent.mkdir(exist_ok=True)
        exclude.write_text("/.lock\n", "utf-8")

    def _put_right(self, hold: int) -> None:
        """Commit or restore whatever differs from the newest commit; see the module's text."""
        self._history.unlock()
        found = [path for path in self._history.uncommitted(hold) if files.is_ours(path)]
        good: list[str] = []
        for path in found:
            if self._is_whole(path):
                good.append(path)
        if bad := [path for path in found if path not in good]:
            self._history.restore(bad, hold)
        if good:
            idents = tuple(ident for path in good if (ident := files.ident_in(path)))
            self._history.commit(good, Deed("put right", ids=idents, why="a writer ended before its commit"), hold)
        if found:
            log.warning("shared knowledge was put right", committed=len(good), restored=len(found) - len(good))
        self._pending.unlink(missing_ok=True)

    def _is_whole(self, path: str) -> bool:
        try:
            if files.is_draft(path):
                (self.folder / path).unlink(missing_ok=True)
                return False
            files.check(self.folder, path)
        except FileNotFoundError:
            return False
        except ValueError as error:
            log.warning("a file of shared knowledge was set aside", why=str(error), to=str(files.set_aside(self.folder, path)))
            return False
        return True

    def _tidy(self, hold: int) -> None:
        """Pack what lies loose; what fails there undoes nothing that was kept."""
        self._kept = 0
        try:
            self._history.tidy(hold)
        except Refused as error:
            log.warning("shared knowledge was not packed", why=str(error))

    def _take_back(self, paths: Sequence[str], hold: int) -> None:
        self._history.unlock()
        for path in paths:
            (self.folder / path).unlink(missing_ok=True)
        self._history.restore(paths, hold)
        self._pending.unlink(missing_ok=True)

    def _catch_up(self, hold: int) -> None:
        """Take into memory what others have committed."""
        was_cut_off = self._pending.exists()
        if was_cut_off:
            self._put_right(hold)
        head = self._history.head()
        if head != self._seen:
            changed = self._history.changed(self._seen, hold)
            with self._memory:
                for path in changed:
                    self._load(path)
                self._seen = head
        if was_cut_off:
            self._settle(Writing(self, hold))

    def _load(self, path: str) -> None:
        """What a file says now; one that says nothing that can be used is told in the log and left out."""
        scope, ident = files.scope_in(path), files.ident_in(path)
        try:
            if files.is_revoked(path):
                self._put((), scope, files.revoked_at(self.folder, path))
            elif ident is not None:
                self._put([files.entry_at(self.folder, path)], scope, None)
        except (FileNotFoundError, ValueError) as error:
            if not isinstance(error, FileNotFoundError):
                log.warning("a file of shared knowledge cannot be read", why=str(error))
            if ident is not None and scope in self._shelves:
                self._shelves[scope].drop(ident)
            elif ident is None and isinstance(error, FileNotFoundError):
                self._put((), scope, ())

    def _put(self, entries: Sequence[Entry], scope: str, revoked: tuple[Revoked, ...] | None) -> None:
        shelf = self._shelves.get(scope)
        if shelf is None:
            shelf = self._shelves[scope] = Shelf(scope)
        for entry in entries:
            shelf.put(entry)
        if revoked is not None:
            shelf.revoked = revoked


@contextlib.contextmanager
def _telling() -> Iterator[None]:
    """A folder or disk that fails is the operator's trouble: callers hear that in a sentence, and no path."""
    try:
        yield
    except OSError as error:
        log.exception("shared knowledge cannot be kept")
        raise Refused(f"shared knowledge cannot be used on this server: {error.strerror or type(error).__name__}", 503) from error
