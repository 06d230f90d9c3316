"""Workflows as `act` runs them: on this machine itself, with the action as a tag of it would have it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
LONGEST_S = 100.0
PUBLISHED = "org/box-review@v1"
_PLAIN = ("action.yml", "Makefile", "pyproject.toml", "README.md", "LICENSE", ".gitignore", "requirements", "sdk")
_NOT_OURS = ("GITHUB_", "INPUT_", "RUNNER_", "ACTIONS_", "BOX_", "ANTHROPIC_", "OPENAI_")
_KEEPS = """
name: upload-artifact
description: Stands in for the real one, which needs GitHub
inputs: {name: {description: of the artifact}, path: {description: of its file}}
runs:
  using: composite
  steps:
    - {shell: bash, run: cp "$FILE" "$KEPT/$NAME", env: {NAME: "${{ inputs.name }}", FILE: "${{ inputs.path }}"}}
"""


def publish(folder: Path) -> Path:
    """What the action consists of, in a folder of its own."""
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    folder.mkdir(parents=True, exist_ok=True)
    for name in (*_PLAIN, *packages):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


def install(action: Path) -> None:
    """As its first step would, but with what is installed here; the step finds it done with `MAKEFLAGS=--touch`."""
    (action / ".venv").mkdir()
    for name in ("bin", "lib", "pyvenv.cfg"):
        (action / ".venv" / name).symlink_to(Path(sys.prefix, name))


def share_packages(action: Path) -> None:
    """An environment in which the first step has nothing to download: pip finds the locked versions there, and installs the action."""
    venv.create(action / ".venv", with_pip=False, symlinks=True)
    own = Path(sysconfig.get_path("purelib", vars={"base": str(action / ".venv")}))
    (own / "shared.pth").write_text(sysconfig.get_path("purelib") + "\n")


@dataclass(frozen=True)
class Ran:
    """One run of a workflow.

    Args:
        outputs: of the step `review`, as the runner sees them.
        marks: level, properties and text of its annotations.
        exit_codes: of the steps that failed, by the step's place.
        kept: what the workflow kept as artifacts.
    """

    succeeded: bool
    outputs: Mapping[str, str]
    marks: tuple[tuple[str, Mapping[str, str], str], ...]
    summary: str
    exit_codes: Mapping[str, int]
    log: str
    kept: Path

    @property
    def code(self) -> int:
        """How the action's own step ended."""
        return self.exit_codes.get("review", 0)


@dataclass(frozen=True)
class Act:
    """A runner with a home of its own.

    Args:
        action: what `org/box-review@v1` is.
    """

    home: Path
    action: Path

    def run(
        self, workspace: Path, workflow: str, event: Mapping[str, Any], secrets: Mapping[str, str] | None = None, **environment: str
    ) -> Ran:
        """Run a workflow of a repository to its end, on a pull request."""
        kept = self.home / "kept"
        kept.mkdir(parents=True, exist_ok=True)
        (self.home / ".config" / "act").mkdir(parents=True, exist_ok=True)
        (self.home / ".config" / "act" / "actrc").touch()  # without it, act asks which images to use
        (self.home / "workflow.yml").write_text(workflow)
        (self.home / "event.json").write_text(json.dumps({"pull_request": event}))
        argv: list[str | Path] = [
            *(Path(sys.executable).parent / "act", "pull_request", "--json", "-P", "ubuntu-latest=-self-hosted", "--use-gitignore=false"),
            *("-W", self.home / "workflow.yml", "-e", self.home / "event.json"),
            *("--local-repository", f"{PUBLISHED}={self.action}"),
        ]
        for stand_in in re.findall(r"uses: (actions/upload-artifact@\S+)", workflow):
            (self.home / "upload").mkdir(exist_ok=True)
            (self.home / "upload" / "action.yml").write_text(_KEEPS)
            argv += ["--local-repository", f"{stand_in}={self.home / 'upload'}"]
        for name, value in {"MAKEFLAGS": "--touch", "KEPT": str(kept), **environment}.items():
            argv += ["--env", f"{name}={value}"]
        for name, value in (secrets or {}).items():
            argv += ["-s", f"{name}={value}"]
        return _ran(_output(argv, workspace, self.home), kept)


def _output(argv: list[str | Path], workspace: Path, home: Path) -> str:
    outside = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_OURS)} | {"HOME": str(home)}
    with subprocess.Popen(
        argv, cwd=workspace, env=outside, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as act:
        try:
            return act.communicate(timeout=LONGEST_S)[0]
        except subprocess.TimeoutExpired:
            os.killpg(act.pid, signal.SIGKILL)
            raise


def _ran(output: str, kept: Path) -> Ran:
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    results = [line["jobResult"] for line in lines if "jobResult" in line]
    assert results, output
    ended = [(line["stepID"][0], re.fullmatch(r"exit status (\d+)", line["msg"])) for line in lines if line.get("stepID")]
    return Ran(
        succeeded=results == ["success"],
        outputs={line["name"]: line["arg"] for line in lines if line.get("command") == "set-output" and line["stepID"] == ["review"]},
        marks=tuple(
            (line["command"], line["kvPairs"] or {}, line["arg"]) for line in lines if line.get("command") in ("error", "warning", "notice")
        ),
        summary=next((line["content"] for line in lines if line.get("command") == "summary"), ""),
        exit_codes={step: int(code[1]) for step, code in ended if code},
        log="".join(line["msg"] for line in lines if line.get("raw_output")),
        kept=kept,
    )
