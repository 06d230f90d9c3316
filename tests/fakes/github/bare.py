"""A repository's git, without a working tree."""

from __future__ import annotations

import functools
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

GIT_ENVIRONMENT = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}

LONGEST_NAME = 200

# Any commit may be fetched by its id, as from GitHub.
CONFIG = """
[core]
	repositoryformatversion = 0
	bare = true
	fsync = none
[uploadpack]
	allowAnySHA1InWant = true
	allowFilter = true
[http]
	receivepack = true
[gc]
	auto = 0
"""


@dataclass(frozen=True)
class Entry:
    """A file that is not an ordinary one."""

    mode: str
    content: str


def executable(text: str) -> Entry:
    """A script."""
    return Entry("100755", text)


def symlink(target: str) -> Entry:
    """A symbolic link."""
    return Entry("120000", target)


def submodule(sha: str) -> Entry:
    """Another repository's commit."""
    return Entry("160000", sha)


Files = Mapping[str, str | bytes | Entry | None]
"""Contents by path; None removes a file."""


class Bare:
    """One repository on disk."""

    _ticks = 0

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path, default_branch: str) -> Self:
        """An empty one."""
        for folder in ("objects", "refs/heads", "refs/tags"):
            (path / folder).mkdir(parents=True)
        (path / "HEAD").write_text(f"ref: refs/heads/{default_branch}\n")
        (path / "config").write_text(CONFIG)
        return cls(path)

    def copied(self, path: Path) -> Bare:
        """A fork: the same branches at another place."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.git("clone", "-q", "--bare", "--template=", str(self.path), str(path))
        (path / "config").write_text(CONFIG)
        return Bare(path)

    def git(self, *arguments: str, stdin: bytes | None = None, fails: bool = False) -> bytes:
        """Run git; returns what it printed. Raises CalledProcessError unless it `fails` and may."""
        command = ["git", "--git-dir", str(self.path), *arguments]
        ran = subprocess.run(command, input=stdin, capture_output=True, check=not fails, env={**os.environ, **GIT_ENVIRONMENT})
        return ran.stdout if ran.returncode == 0 else b""

    def resolve(self, name: str) -> str | None:
        """The commit that a branch, tag or id means, or None."""
        if not name or len(name) > LONGEST_NAME or {"\0", "\n"} & set(name):
            return None
        for full in (name, f"refs/heads/{name}"):  # what is asked most often takes no git, which needs milliseconds to start
            if full.startswith("refs/") and (self.path / full).is_file():
                return (self.path / full).read_text().strip()
        if name.startswith("refs/") and not (self.path / "packed-refs").exists():
            return None
        asked = "".join(f"{full}^{{commit}}\n" for full in (name, f"refs/heads/{name}", f"refs/tags/{name}"))
        told = self.git("cat-file", "--batch-check=%(objectname) %(objecttype)", stdin=os.fsencode(asked)).decode().splitlines()
        return next((line.split()[0] for line in told if line.endswith(" commit")), None)

    def commit(self, ref: str, files: Files, message: str, author: str, parent: str | None) -> str:
        """Write a commit upon `parent` (None: upon nothing) and let `ref` point to it, whatever it pointed to; returns its id."""
        Bare._ticks += 1
        when = f"{author} <{author}@users.noreply.github.com> {int(time.time()) - 86400 + Bare._ticks} +0000"
        words = [f"commit {ref}\nmark :1\nauthor {when}\ncommitter {when}\n".encode(), _data(message.encode())]
        words += [f"from {parent}\n".encode()] if parent else []
        words += [_change(path, content) for path, content in files.items()]
        if parent is None:
            words.insert(0, f"reset {ref}\n".encode())
        words.append(b"get-mark :1\n")
        return self.git("fast-import", "--quiet", "--force", "--date-format=raw", stdin=b"".join(words)).decode().strip()

    def point(self, ref: str, sha: str) -> None:
        """Let a ref point to a commit."""
        (self.path / ref).parent.mkdir(parents=True, exist_ok=True)
        (self.path / ref).write_text(f"{sha}\n")

    def drop(self, ref: str) -> None:
        """Remove a ref."""
        self.git("update-ref", "-d", ref)

    def take(self, other: Bare, sha: str, ref: str) -> None:
        """Bring a commit from another repository and let `ref` point to it."""
        self.git("fetch", "-q", "--no-tags", str(other.path), f"+{sha}:{ref}")

    def merge_base(self, one: str, other: str) -> str | None:
        """Where two commits parted, or None if they never were together."""
        return _merge_base(self.path, one, other)

    def between(self, base: str, head: str) -> list[str]:
        """The commits that `head` has and `base` has not, oldest first."""
        return list(_between(self.path, base, head))

    def merged(self, base: str, head: str) -> str | None:
        """A commit that merges both, or None if they conflict."""
        if self.merge_base(base, head) == base:
            tree = f"{head}^{{tree}}"
        else:
            tree = self.git("merge-tree", "--write-tree", "--no-messages", base, head, fails=True).decode().strip()
        if not tree:
            return None
        who = {f"GIT_{role}_{what}": "github" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        command = ["git", "--git-dir", str(self.path), "commit-tree", tree, "-p", base, "-p", head, "-m", f"Merge {head} into {base}"]
        return (
            subprocess.run(command, capture_output=True, check=True, env={**os.environ, **GIT_ENVIRONMENT, **who}).stdout.decode().strip()
        )

    def blob(self, sha: str) -> bytes:
        """A file's content."""
        return self.git("cat-file", "blob", sha)


@functools.lru_cache(maxsize=1024)
def _merge_base(path: Path, one: str, other: str) -> str | None:
    return Bare(path).git("merge-base", one, other, fails=True).decode().strip() or None


@functools.lru_cache(maxsize=1024)
def _between(path: Path, base: str, head: str) -> tuple[str, ...]:
    return tuple(Bare(path).git("rev-list", "--reverse", "--topo-order", f"{base}..{head}").decode().split())


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def _change(path: str, content: str | bytes | Entry | None) -> bytes:
    name = os.fsencode(path)
    quoted = b'"' + name.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n") + b'"'
    if content is None:
        return b"D " + quoted + b"\n"
    mode = content.mode if isinstance(content, Entry) else "100644"
    plain = content.content if isinstance(content, Entry) else content
    if mode == "160000":
        return b"M 160000 " + os.fsencode(plain) + b" " + quoted + b"\n"
    return f"M {mode} inline ".encode() + quoted + b"\n" + _data(plain.encode() if isinstance(plain, str) else plain)
