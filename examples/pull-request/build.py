"""Builds the example repository: `python examples/pull-request/build.py TARGET`.

The result is a git repository with branches `main` (seven commits of history) and `pull-request` (one more, checked
out). Authors and dates are fixed, so the commits have the same ids everywhere.

Exit codes: 0 built; 2 the target is not empty or git failed, one sentence on stderr says so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
GROWING = "parcels/service/shipments.py"
REMOVED = ("parcels/service/format.py",)
FIRST_SECOND = 1_760_000_000
HISTORY = (
    "Look parcels up",
    "Advance parcels",
    "Charge for parcels",
    "Know when a parcel is late",
    "List overdue parcels",
    "Give postage back",
    "Summarise the day",
)
TITLE = "Print labels, announce parcels to carriers and search by receiver"


def main(arguments: list[str]) -> int:
    """Build the repository in the folder named; returns the exit code."""
    if len(arguments) != 1:
        print("usage: build.py TARGET", file=sys.stderr)
        return 2
    target = Path(arguments[0])
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        print(f"{target} is not an empty folder; name one that is empty or does not exist yet.", file=sys.stderr)
        return 2
    try:
        build(target)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"The example could not be built in {target}: {error}", file=sys.stderr)
        return 2
    return 0


def build(target: Path) -> None:
    """Write history, base and head into `target`, which is empty or absent."""
    target.mkdir(parents=True, exist_ok=True)
    _git(target, 0, "-c", "init.defaultBranch=main", "init", "--quiet", "--template=")
    for second, message in enumerate(HISTORY):
        _lay(HERE / "base", target, blocks=second + 2)
        _commit(target, second, message)
    _git(target, 0, "checkout", "--quiet", "-b", "pull-request")
    for path in REMOVED:
        (target / path).unlink()
    _lay(HERE / "head", target)
    _commit(target, len(HISTORY), TITLE)


def _lay(source: Path, target: Path, blocks: int | None = None) -> None:
    """Copy a tree over another; of the file that grew, only its first top-level blocks where a number is given."""
    for path in sorted(p for p in source.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        name = path.relative_to(source)
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if name.as_posix() == GROWING and blocks is not None:
            text = "\n\n\n".join(path.read_text(encoding="utf-8").split("\n\n\n")[:blocks])
            (target / name).write_text(text.rstrip("\n") + "\n", encoding="utf-8")
        else:
            shutil.copyfile(path, target / name)
        (target / name).chmod(0o755 if name.suffix == ".sh" else 0o644)


def _commit(target: Path, number: int, message: str) -> None:
    _git(target, number, "add", "--all", "--force")
    _git(target, number, "commit", "--quiet", "--no-verify", "--no-gpg-sign", "-m", message)


def _git(target: Path, number: int, *arguments: str) -> None:
    settings = ("-c", "core.autocrlf=false", "-c", "core.fileMode=true", "-c", "core.hooksPath=/dev/null")
    subprocess.run(["git", *settings, *arguments], cwd=target, env=_environment(number), check=True)


def _environment(number: int) -> Mapping[str, str]:
    """No configuration of the machine takes part, so that the ids of the commits do not depend on it."""
    date = f"{FIRST_SECOND + number * 86_400} +0000"
    person = {"NAME": "Ada Example", "EMAIL": "ada@example.invalid", "DATE": date}
    fixed = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in person.items()}
    return fixed | {"PATH": os.environ.get("PATH", os.defpath), "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
