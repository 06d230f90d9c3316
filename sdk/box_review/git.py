"""git, run so that a hostile repository can start nothing by it: no hook, filter, pager, monitor or lazy fetch."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from box_review.errors import InputError

DEADLINE_S = 600.0

# Flaws that old histories are full of and that harm nobody; all other checks of git's stay errors.
_HARMLESS = (
    *("badDate", "badDateOverflow", "badEmail", "badName", "badTimezone", "missingEmail", "missingNameBeforeEmail"),
    *("missingSpaceBeforeDate", "missingSpaceBeforeEmail", "missingTaggerEntry", "zeroPaddedDate", "zeroPaddedFilemode"),
)
_IGNORED = tuple(f"fetch.fsck.{flaw}=ignore" for flaw in _HARMLESS)
_CHECKED = tuple(word for setting in ("fetch.fsckObjects=true", "fetch.unpackLimit=1", *_IGNORED) for word in ("-c", setting))
_BARE = ("--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", "--no-recurse-submodules")

# Reading a repository must start nothing of its own: no fsmonitor, no pager, no external diff, no lazy fetch, no hook.
_SAFE = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.untrackedCache=false", "-c", "submodule.recurse=false")


def _environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    return kept | {"GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C.UTF-8", "GIT_PAGER": "cat"}


def attempt(
    arguments: Sequence[str],
    more: Mapping[str, str] = MappingProxyType({}),
    *,
    deadline_s: float = DEADLINE_S,
    hold: Sequence[int] = (),
) -> subprocess.CompletedProcess[bytes]:
    """Run git with some arguments, whatever comes of it. Raises InputError without git or an answer.

    Args:
        more: for its environment.
        hold: descriptors that stay open until it has ended, so that a lock outlives whoever started it.
    """
    try:
        return subprocess.run(
            ["git", *_SAFE, *arguments],
            env=_environment() | dict(more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=deadline_s,
            check=False,
            pass_fds=hold,
        )
    except FileNotFoundError:
        raise InputError("git is not installed; on Debian and Ubuntu: apt install git") from None
    except subprocess.TimeoutExpired:
        raise InputError(f"git did not answer within {deadline_s:.0f} s: git {' '.join(arguments[:6])}") from None


def bounded(arguments: Sequence[str], most_bytes: int) -> bytes:
    """What git prints, read as it comes. Raises InputError if it fails, takes too long, or prints more than `most_bytes`."""
    argv = ["git", *_SAFE, *arguments]
    with subprocess.Popen(argv, env=_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as git:
        ends = threading.Timer(DEADLINE_S, git.kill)
        ends.start()
        try:
            assert git.stdout is not None and git.stderr is not None  # noqa: S101 - for the type checker
            printed = git.stdout.read(most_bytes + 1)
            if len(printed) > most_bytes:
                git.kill()
                raise InputError(f"git printed more than {most_bytes >> 20} MB: git {' '.join(arguments[2:4])}")
            said = git.stderr.read()
        finally:
            ends.cancel()
    if git.returncode != 0:
        raise InputError(f"git failed: {reason(said)}")
    return printed


def run(arguments: Sequence[str]) -> None:
    """Run git. Raises InputError if it fails."""
    answer = attempt(arguments)
    if answer.returncode != 0:
        raise InputError(f"git could not read the commits: {reason(answer.stderr)}")


def fetch(
    bare: Path,
    url: str,
    commits: Sequence[str],
    *,
    depth: int,
    options: Sequence[str] = (),
    more: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Get commits, and `depth` of the history before each, into a bare repository; each object is checked.

    Args:
        url: only its own protocol may be spoken.
        options: of `git fetch`.
        more: for its environment.

    Raises:
        InputError: they cannot be had.
    """
    protocol = ("-c", "protocol.allow=never", "-c", f"protocol.{url.partition(':')[0]}.allow=always")
    words = ["-C", str(bare), *_CHECKED, *protocol, "fetch", "-q", *_BARE, f"--depth={depth}", *options, "--", url, *commits]
    answer = attempt(words, more)
    if answer.returncode != 0:
        raise InputError(f"git could not read the commits: {reason(answer.stderr)}")


def text(repository: Path, *arguments: str, check: bool = True) -> str:
    """What git prints in a repository; empty where it fails and `check` is off. Raises InputError."""
    answer = attempt(["-C", str(repository), *arguments])
    if answer.returncode != 0 and check:
        raise InputError(f"git {arguments[0]} failed in {repository}: {reason(answer.stderr)}")
    return answer.stdout.decode("utf-8", "surrogateescape") if answer.returncode == 0 else ""


def reason(stderr: bytes) -> str:
    """git's own words, its last `fatal:` or `error:` line."""
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:"))] or lines
    return telling[0].removeprefix("fatal: ").removeprefix("error: ") if telling else "no reason given"
