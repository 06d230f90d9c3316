"""Git repositories to review, made by real git."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_WHO = {
    **{f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.org"))},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}

BAD = "import subprocess\n\n\ndef run(name):\n    subprocess.run('ls ' + name, shell=True)\n"
"""A file in which every review finds something: ruff's S602, high."""


PRICED = "def total(prices):\n    return sum(prices)\n"
MISPRICED = "def total(prices):\n    return sum(prices[1:])\n"


class Repository:
    """One repository with a branch `main`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str | bytes, stdin: bytes | None = None) -> str:
        """Run git in it; returns what it printed."""
        answer = subprocess.run(
            ["git", "-C", self.path, *arguments], input=stdin, check=True, capture_output=True, env={**os.environ, **_WHO}
        )
        return answer.stdout.decode("utf-8", "surrogateescape").strip()

    def write(self, files: dict[str, str | bytes | None]) -> None:
        """Write files by name; None removes one."""
        for name, content in files.items():
            file = self.path / name
            if content is None:
                file.unlink()
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, files: dict[str, str | bytes | None], message: str = "change") -> str:
        """Write files and commit everything; returns the commit's id."""
        self.write(files)
        self.git("add", "--all")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")


def shop(folder: Path, **more: str) -> Path:
    """A change that forgets the first price, in `cart.py`; `more` files come with it, by name without `.py`."""
    made = Repository(folder / "shop")
    made.commit({"cart.py": PRICED})
    made.commit({"cart.py": MISPRICED, **{f"{name}.py": text for name, text in more.items()}})
    return made.path
