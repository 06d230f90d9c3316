"""The action and the example workflows, as the linters of their kind see them; each says nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
WORKFLOWS = sorted((ROOT / "examples" / "workflows").glob("*.yml"))
PINNED_OR_OURS = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|org/box-review@v1( .*)?|\./")


def said_by(program: str, *arguments: str | Path) -> str:
    """All that a linter prints, of how it is called, of what it found, and its exit code where that is not 0."""
    done = subprocess.run(
        [Path(sys.executable).parent / program, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout + (f"exit code {done.returncode}" if done.returncode else "")


def test_action_is_valid_by_its_schema() -> None:
    assert said_by("check-jsonschema", "-qq", "--builtin-schema", "vendor.github-actions", "action.yml") == ""


def test_workflows_are_valid_by_their_schema() -> None:
    assert said_by("check-jsonschema", "-qq", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS) == ""


def test_workflows_are_sound() -> None:
    """Expressions, events, permissions, labels, and the shell in `run`."""
    assert said_by("actionlint", "-no-color", *WORKFLOWS) == ""


@pytest.mark.parametrize("file", ["action.yml", *(f"examples/workflows/{file.name}" for file in WORKFLOWS)])
def test_action_and_workflows_are_secure(file: str) -> None:
    """Also in what only the strictest users ask for."""
    assert said_by("zizmor", "-q", "--offline", "--no-progress", "--color=never", "--persona=pedantic", file).startswith(
        "No findings to report."
    )


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_workflows_pin_what_others_wrote(file: Path) -> None:
    used = re.findall(r"uses: (.*)", file.read_text())
    assert used
    assert not [name for name in used if not PINNED_OR_OURS.fullmatch(name)]
