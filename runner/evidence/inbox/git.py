"""git, asked in a way that nothing a pull request brings can answer.

Only plumbing runs, on trees and blobs. The working tree it is given is an empty folder, so there are no
attributes, filters, hooks or symlinks to obey; configuration other than the clone's own is switched off.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator

from .process import MEGABYTE, Completed, Deadline, run

BLOB_LIMIT = 1_000_000
TOTAL_LIMIT = 48 * MEGABYTE
_CONFIG = (
    "core.attributesFile=/dev/null",
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.bigFileThreshold=16m",
    "core.quotePath=true",
    "diff.renames=true",
    "log.showSignature=false",
    "protocol.allow=never",
)


class GitError(RuntimeError):
    """git could not read what was asked for: a commit that is not there, a broken store, a deadline."""


class Repository:
    """A clone, read through its object store.

    Args:
        path: folder that holds `.git`.
        empty: an empty folder that stands in for the working tree.
        deadline: when everything must be done.
    """

    def __init__(self, path: str, empty: str, deadline: Deadline) -> None:
        self.empty = empty
        self._deadline = deadline
        options = [word for setting in _CONFIG for word in ("-c", setting)]
        self._argv = ["git", *options, f"--git-dir={path}/.git", f"--work-tree={empty}", "--no-pager"]
        self._env = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": empty,
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
        }

    def run(self, *args: str, stdin: bytes = b"", timeout_s: float = 60.0, max_output: int = 200 * MEGABYTE) -> Completed:
        """One git command.

        Raises:
            GitError: it failed or ran out of time; a cut output is not an error.
        """
        timeout_s = self._deadline.share(timeout_s)
        done = run([*self._argv, *args], timeout_s=timeout_s, cwd=self.empty, stdin=stdin, env=self._env, max_output=max_output)
        if done.timed_out:
            raise GitError(f"git {args[0]} did not finish in {timeout_s:.0f} s")
        if done.returncode and not done.truncated:
            raise GitError(f"git {args[0]} failed: {done.stderr.decode('utf-8', 'backslashreplace').strip()[-300:]}")
        return done

    def sizes(self, blobs: Iterable[str]) -> dict[str, int]:
        """Sizes in bytes of the blobs that exist."""
        wanted = "\n".join(blobs).encode()
        lines = self.run("cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize)", stdin=wanted).stdout.split(b"\n")
        fields = (line.split() for line in lines)
        return {f[0].decode(): int(f[2]) for f in fields if len(f) == 3 and f[1] == b"blob"}

    def blobs(self, wanted: Iterable[str], limit: int = BLOB_LIMIT) -> dict[str, bytes]:
        """Contents by id; blobs above `limit` bytes, and what would exceed the total limit, are left out."""
        sizes = self.sizes(dict.fromkeys(wanted))
        chosen: list[str] = []
        total = 0
        for blob, size in sizes.items():
            if size <= limit and total + size <= TOTAL_LIMIT:
                chosen.append(blob)
                total += size
        if not chosen:
            return {}
        done = self.run("cat-file", "--batch", stdin="\n".join(chosen).encode())
        return dict(_contents(io.BytesIO(done.stdout)))


def _contents(stream: io.BytesIO) -> Iterator[tuple[str, bytes]]:
    while header := stream.readline().split():
        if len(header) == 3:
            yield header[0].decode(), stream.read(int(header[2]))
            stream.read(1)
