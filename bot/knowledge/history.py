"""The store's git repository: every change is one commit, made by us alone, with no hook, no setting of a user and a deadline."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from box_review import git
from box_review.errors import InputError
from box_review.knowledge import Change

from bot.errors import Refused

DEADLINE_S = 30.0
TIDY_S = 300.0
BRANCH = "main"
_NAME, _EMAIL = "box-review", "box-review@localhost"
_ENVIRONMENT = MappingProxyType(
    {
        **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (("NAME", _NAME), ("EMAIL", _EMAIL))},
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_OPTIONAL_LOCKS": "0",
    }
)
# What is acknowledged lies on the disk; packing is done by `tidy`, and never moves the branch, which readers look at as a file.
_SETTINGS = (
    "core.fsync=committed,reference",
    "core.logAllRefUpdates=false",
    "gc.auto=0",
    "gc.packRefs=false",
    "gc.autoDetach=false",
    "maintenance.auto=false",
    "commit.gpgSign=false",
)
_OPTIONS = tuple(word for setting in _SETTINGS for word in ("-c", setting))
_LOCKS = ("index.lock", "HEAD.lock", f"refs/heads/{BRANCH}.lock", "packed-refs.lock", "gc.pid")
_LOOSE_FOLDER = "objects/17"  # git's own way to guess how many objects lie loose: objects are spread evenly over 256 folders
_MOST_LOOSE = 8
_MOST_PACKS = 20


@dataclass(frozen=True, slots=True)
class Deed:
    """What a change was: see `box_review.knowledge.Change`. `why` may be anything; it stays a value of one line of JSON."""

    what: str
    ids: tuple[str, ...] = ()
    by: str = ""
    tenant: str = ""
    why: str = ""

    @property
    def subject(self) -> str:
        """A commit's first line; nothing in it was written by a caller."""
        return f"{self.what} {self.ids[0]}" if len(self.ids) == 1 else f"{self.what} {len(self.ids)} entries"

    @property
    def body(self) -> str:
        """The rest."""
        values = {"ids": self.ids[:1000], "by": self.by, "tenant": self.tenant, "why": self.why}
        return json.dumps({name: value for name, value in values.items() if value})


class History:
    """The repository in a folder. All but `head` and `log` want the store's lock held, by the descriptor `hold`.

    All raise Refused (503) where git fails: the server's own trouble, of which callers get one sentence.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inner = folder / ".git"

    def begin(self, hold: int) -> None:
        """Make the repository, unless it is there."""
        if not (self.inner / "HEAD").exists() or not self.head():
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._run(["init", "-q", f"--initial-branch={BRANCH}", "--template=", "."], hold)
            self._run(["commit", "-q", "--allow-empty", "-m", "begun"], hold)

    def head(self) -> str:
        """The newest commit; empty before the first. Costs one read of a file."""
        try:
            return (self.inner / "refs" / "heads" / BRANCH).read_text("ascii").strip()
        except FileNotFoundError:
            pass
        if not self.inner.exists():
            return ""
        said = self._attempt(["rev-parse", "-q", "--verify", f"refs/heads/{BRANCH}"])  # somebody has packed the branch by hand
        return said.strip().decode("ascii")

    def commit(self, paths: Sequence[str], deed: Deed, hold: int) -> str:
        """Keep files as they are now; returns the commit."""
        before = self.head()
        for at in range(0, len(paths), 500):
            self._run(["update-index", "--add", "--remove", "--", *paths[at : at + 500]], hold)
        # Not `git commit`: that looks at every file there is. `update-ref` fails if a person has committed meanwhile.
        tree = self._run(["write-tree"], hold).decode().strip()
        made = self._run(["commit-tree", tree, "-p", before, "-m", deed.subject, "-m", deed.body], hold).decode().strip()
        self._run(["update-ref", f"refs/heads/{BRANCH}", made, before], hold)
        return made

    def changed(self, since: str, hold: int) -> list[str]:
        """Paths that differ between a commit and the newest; those of all files if there is no such commit any more."""
        answer = self._attempt(["diff", "--name-only", "--no-renames", "-z", since, "HEAD", "--"], hold, check=False) if since else b""
        if not answer:
            answer = self._run(["ls-tree", "-r", "-z", "--name-only", "HEAD"], hold)
        return [path for path in answer.decode("utf-8", "surrogateescape").split("\0") if path]

    def uncommitted(self, hold: int) -> list[str]:
        """Paths that are not as the newest commit has them: changed, new or gone."""
        asked = ["status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all"]
        try:
            said = self._run(asked, hold)
        except Refused:  # the index need not outlive a power cut; it is made anew
            (self.inner / "index").unlink(missing_ok=True)
            self._run(["read-tree", "HEAD"], hold)
            said = self._run(asked, hold)
        return [entry[3:] for entry in said.decode("utf-8", "surrogateescape").split("\0") if entry]

    def restore(self, paths: Sequence[str], hold: int) -> None:
        """Files as the newest commit has them; those that it does not have are taken from the index."""
        self._run(["rm", "-q", "--cached", "--ignore-unmatch", "--", *paths], hold)
        known = set(self._run(["ls-tree", "-r", "-z", "--name-only", "HEAD"], hold).decode("utf-8", "surrogateescape").split("\0"))
        if back := [path for path in paths if path in known]:
            self._run(["checkout", "-q", "HEAD", "--", *back], hold)

    def unlock(self) -> None:
        """Remove what a git that was killed has left; whoever holds the store's lock knows that none is at work."""
        for name in _LOCKS:
            (self.inner / name).unlink(missing_ok=True)

    def tidy(self, hold: int) -> None:
        """Pack objects once there are thousands of loose ones: these alone mostly, and all of them once there are many packs."""
        loose = self.inner / _LOOSE_FOLDER
        if loose.exists() and len(list(loose.iterdir())) > _MOST_LOOSE:
            many = len(list(self.inner.glob("objects/pack/*.pack"))) > _MOST_PACKS
            self._run(["gc", "-q"] if many else ["repack", "-d", "-q"], hold, deadline_s=TIDY_S)

    def log(self, folder: str, limit: int) -> list[Change]:
        """The newest changes below a folder."""
        words = [
            "log",
            f"--max-count={limit}",
            "-z",
            "--no-color",
            "--no-show-signature",
            "--format=%H%n%ct%n%s%n%b",
            f"refs/heads/{BRANCH}",
        ]
        said = self._run([*words, "--", folder])
        return [_change(entry) for entry in said.decode("utf-8", "replace").split("\0") if entry.strip()]

    def _run(self, words: Sequence[str], hold: int | None = None, deadline_s: float = DEADLINE_S) -> bytes:
        return self._attempt(words, hold, deadline_s=deadline_s)

    def _attempt(self, words: Sequence[str], hold: int | None = None, *, check: bool = True, deadline_s: float = DEADLINE_S) -> bytes:
        held = () if hold is None else (hold,)
        try:
            answer = git.attempt(["-C", str(self.folder), *_OPTIONS, *words], _ENVIRONMENT, deadline_s=deadline_s, hold=held)
        except InputError as error:
            raise Refused(f"shared knowledge cannot be used on this server: {error}", 503) from error
        if answer.returncode != 0 and check:
            raise Refused(f"shared knowledge cannot be used on this server: git {words[0]}: {git.reason(answer.stderr)}", 503)
        return answer.stdout if answer.returncode == 0 else b""


def _change(entry: str) -> Change:
    """A commit of ours, or one that a person has made by hand."""
    commit, at, subject, body = [*entry.lstrip("\n").split("\n", 3), "", "", ""][:4]
    known = {"commit": commit[:12], "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(at)))}
    try:
        return Change.model_validate(
            {**json.loads(body), "what": subject.rsplit(" ", 2 if subject.endswith(" entries") else 1)[0], **known}
        )
    except ValueError:
        return Change.model_validate({"what": "by hand", "why": subject, **known})
