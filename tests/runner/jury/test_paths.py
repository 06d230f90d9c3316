"""Ignored paths mean the same to us as to git, which leaves them out of the diff."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from runner.jury.paths import matches
from tests.repositories import Repository

FILES = ["a.py", "dist/a.js", "dist/sub/b.js", "src/dist/c.js", "yarn.lock", "sub/yarn.lock", "src/a.py", "src/b/c.py", "x[1].py", "src.py"]


@pytest.mark.parametrize(
    "pattern",
    ["dist/**", "dist", "**/*.lock", "*.lock", "src/*.py", "src/**/*.py", "**/dist/**", "**", "*", "a.??", "[a-b].py", "[!a].py", "src"],
)
def test_pattern_matches_what_git_leaves_out(pattern: str, repository: Callable[..., Repository]) -> None:
    made = repository({"z": "1"}, dict.fromkeys(FILES, "1\n"))
    words = ["git", "-C", made.path, "diff", "--name-only", "HEAD^", "HEAD", "--", ":(top)", f":(top,exclude,glob){pattern}"]
    kept = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
    assert sorted(kept) == sorted(name for name in FILES if not matches(name, [pattern]))
