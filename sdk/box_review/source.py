"""What is to be reviewed: two commits of a local repository, packed for upload.

Only objects leave the repository: they are fetched into an empty bare one with object checks, so no
hook, filter, attribute or setting of the repository runs here, and no file is checked out. The archive is a
tar of `objects.pack` and `shallow` (where its history was cut).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from box_review import git
from box_review.errors import InputError, NotARepository

HISTORY = 50
"""How many commits before each end come along, for hot spots and blame."""
_QUIET_STATUS = ("status", "--porcelain=v1", "-z", "--untracked-files=no", "--ignore-submodules=all", "--no-renames")
_UPLOAD_PACK = "git -c core.fsmonitor=false -c core.hooksPath=/dev/null -c uploadpack.allowAnySHA1InWant=true upload-pack"
_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


@dataclass(frozen=True)
class Change:
    """Two commits of a repository: `base_sha` is what `head_sha` is compared against, their merge base where they have one.

    `tip_sha` is what `base` names itself: what its owners say now, where the head's author chose the merge base.
    `uncommitted` counts files whose changes are in no commit and are not reviewed.
    """

    repository: Path
    name: str
    base_sha: str
    tip_sha: str
    head_sha: str
    base: str
    head: str
    title: str
    uncommitted: int


@dataclass(frozen=True)
class Source:
    """An archive to upload, and its SHA-256."""

    archive: Path
    sha256: str


def find_change(path: Path, base: str | None = None, head: str | None = None) -> Change:
    """What a review of `path` would look at.

    Args:
        path: a repository, or a folder in one.
        base: any revision; None takes the default branch, or the parent commit when the head is on it.
        head: any revision; None is HEAD.

    Raises:
        NotARepository: no git repository there.
        InputError: a revision is unknown, both are the same, or there is no commit.
    """
    repository = _open(path)
    head_sha = _commit(repository, head or "HEAD", "head")
    base_name = base or _default_base(repository, head_sha)
    base_sha = _commit(repository, base_name, "base")
    shared = git.text(repository, "merge-base", "--", base_sha, head_sha, check=False).strip()
    if (shared or base_sha) == head_sha:
        raise InputError(
            f"base {base_name!r} and head {head or 'HEAD'!r} hold the same commit {head_sha[:12]}: there is nothing to review"
            if base_sha == head_sha
            else f"head {head or 'HEAD'!r} ({head_sha[:12]}) is contained in base {base_name!r}: there is nothing to review"
        )
    uncommitted = 0 if head else _uncommitted(repository)
    return Change(
        repository=repository,
        name=_name(repository),
        base_sha=shared or base_sha,
        tip_sha=base_sha,
        head_sha=head_sha,
        base=base_name,
        head=head or "HEAD",
        title=git.text(repository, "show", "--no-patch", "--no-show-signature", "--format=%s", head_sha)[:500].strip(),
        uncommitted=uncommitted,
    )


def fetch_missing(path: Path, commits: Sequence[str]) -> None:
    """Get commits that a clone lacks, and the history that was cut off, from where it was cloned.

    Raises:
        InputError: they cannot be had; the text says what would help.
    """
    repository = _open(path)
    if not (repository / ".git").exists():  # files of a checkout can look like a bare repository, whose settings start programs
        raise InputError(f"{path} is no checkout with a working tree")
    shallow = git.text(repository, "rev-parse", "--is-shallow-repository").strip() == "true"
    missing = [commit for commit in commits if not _there(repository, commit)]
    if not shallow and not missing:
        return
    words = [
        "-c",
        "protocol.ext.allow=never",
        "fetch",
        "-q",
        "--no-tags",
        "--no-recurse-submodules",
        "--no-auto-maintenance",
        *(["--unshallow"] if shallow else []),
        "--",
        "origin",
        *missing,
    ]
    answer = git.attempt(["-C", str(repository), *words])
    if answer.returncode != 0:
        what = f"commit {missing[0][:12]}" if missing else "all of its history"
        raise InputError(f"{repository} lacks {what}, and git could not fetch it ({git.reason(answer.stderr)}); clone with fetch-depth: 0")


def _there(repository: Path, commit: str) -> bool:
    return git.attempt(["-C", str(repository), "cat-file", "-e", f"{commit}^{{commit}}"]).returncode == 0


def read_base(change: Change, name: str, most_bytes: int) -> bytes | None:
    """A file as the base's tip has it; None where there is none. Raises InputError if it is no plain file or too large."""
    listed = git.text(change.repository, "ls-tree", "--full-tree", "-l", "-z", change.tip_sha, "--", name).rstrip("\0")
    if not listed:
        return None
    mode, _, sha, size = listed.partition("\t")[0].split()
    if mode not in ("100644", "100755"):
        raise InputError(f"{name} of {change.base} is no plain file")
    if int(size) > most_bytes:
        raise InputError(f"{name} of {change.base} has {size} bytes; {most_bytes} are allowed")
    answer = git.attempt(["-C", str(change.repository), "cat-file", "blob", sha])
    if answer.returncode != 0:
        raise InputError(f"git could not read {name} of {change.base}: {git.reason(answer.stderr)}")
    return answer.stdout


@contextlib.contextmanager
def pack(change: Change) -> Iterator[Source]:
    """The archive of a change, for as long as the context lasts. Raises InputError if git cannot give the objects."""
    with tempfile.TemporaryDirectory(prefix="box-review-") as folder:
        bare = Path(folder, "bare.git")
        git.run(["init", "-q", "--bare", f"--object-format={'sha1' if len(change.head_sha) == 40 else 'sha256'}", str(bare)])
        commits = (change.base_sha, change.head_sha)
        git.fetch(bare, f"file://{change.repository}", commits, depth=HISTORY, options=[f"--upload-pack={_UPLOAD_PACK}"])
        archive = Path(folder, "source.tar")
        _write(bare, archive)
        with archive.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        yield Source(archive, digest)


def _write(bare: Path, archive: Path) -> None:
    """Same objects, same bytes: no times, no owners."""
    packs = sorted(bare.glob("objects/pack/*.pack"))
    if len(packs) != 1:
        raise InputError(f"git gave {len(packs)} packs instead of one; try `git gc` in the repository")
    shallow = bare / "shallow"
    shallow.touch()
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        for path, name in ((packs[0], "objects.pack"), (shallow, "shallow")):
            member = tarfile.TarInfo(name)
            member.size = path.stat().st_size
            with path.open("rb") as file:
                tar.addfile(member, file)


def _open(path: Path) -> Path:
    """The folder git works in for a path."""
    if not path.exists():
        raise InputError(f"{path} does not exist")
    folder = path if path.is_dir() else path.parent
    if not os.access(folder, os.R_OK | os.X_OK):
        raise InputError(f"{folder} cannot be read by this user")
    answer = git.attempt(["-C", str(folder), "rev-parse", "--path-format=absolute", "--is-bare-repository", "--git-dir"])
    if answer.returncode != 0:
        reason = git.reason(answer.stderr)
        if "dubious ownership" in reason:
            raise InputError(
                f"{folder} belongs to another user and git refuses it; allow it with `git config --global --add safe.directory {folder}`"
            )
        raise NotARepository(f"{folder} is not in a git repository ({reason})")
    bare, git_dir = answer.stdout.decode("utf-8", "surrogateescape").rstrip("\n").split("\n", 1)
    if bare == "true":
        return Path(git_dir)
    return Path(git.text(folder, "rev-parse", "--show-toplevel").rstrip("\n"))


def _commit(repository: Path, revision: str, what: str) -> str:
    """The commit a revision names."""
    # --end-of-options: a revision that begins with a dash is a name, not an option.
    answer = git.attempt(["-C", str(repository), "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"])
    sha = answer.stdout.decode("ascii", "replace").strip()
    if answer.returncode == 0 and _SHA.fullmatch(sha):
        return sha
    if git.attempt(["-C", str(repository), "rev-parse", "--verify", "--quiet", "HEAD"]).returncode != 0:
        raise InputError(f"{repository} has no commit on its current branch yet: there is nothing to review")
    raise InputError(f"{what} {revision!r} is not a commit of {repository}; see `git branch -a` and `git log`")


def _default_base(repository: Path, head_sha: str) -> str:
    """The branch a pull request would go to, or the parent when the head lies on it."""
    for name in ("origin/HEAD", "origin/main", "origin/master", "main", "master"):
        found = git.text(repository, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", check=False).strip()
        if found and git.attempt(["-C", str(repository), "merge-base", "--is-ancestor", head_sha, found]).returncode != 0:
            return name
    if git.attempt(["-C", str(repository), "rev-parse", "--verify", "--quiet", f"{head_sha}^"]).returncode != 0:
        raise InputError(f"{repository} holds a single commit ({head_sha[:12]}): there is nothing to compare it with; name one with --base")
    return f"{head_sha[:12]}^"


def _uncommitted(repository: Path) -> int:
    """How many tracked files differ from HEAD. git would run the repository's clean filters to find out, so they are switched off."""
    names = git.text(
        repository, "config", "--name-only", "-z", "--get-regexp", r"^filter\..*\.(clean|smudge|process|required)$", check=False
    )
    switched_off = {"GIT_CONFIG_COUNT": str(names.count("\0"))}
    for index, name in enumerate(names.split("\0")[:-1]):
        switched_off |= {f"GIT_CONFIG_KEY_{index}": name, f"GIT_CONFIG_VALUE_{index}": "false" if name.endswith(".required") else ""}
    answer = git.attempt(["-C", str(repository), *_QUIET_STATUS], switched_off)
    return answer.stdout.count(b"\0")


def _name(repository: Path) -> str:
    """`owner/name` of a GitHub remote, or the folder's name."""
    url = git.text(repository, "config", "--get", "remote.origin.url", check=False).strip()
    match = re.fullmatch(r".*github\.com[:/]([\w.-]+/[\w.-]+?)(\.git)?/?", url)
    if match:
        return match[1]
    return repository.resolve().name.removesuffix(".git").encode("utf-8", "replace").decode()[:300] or "repository"
