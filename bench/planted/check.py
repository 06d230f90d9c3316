"""Check the planted-bug cases: their case.toml, and their hidden test on both sides of the change."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
ROLES = ("security", "quality", "architecture")
SEVERITIES = ("critical", "high", "medium", "low")
ALWAYS = {"title": str, "role": str, "clean": bool}
PLANTED = {"bug": str, "topic": str, "severity": str, "path": str, "start_line": int, "end_line": int}
WORD = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
TIMEOUT = 10


def files(folder: Path) -> dict[str, bytes]:
    """Return the content of all files below a folder by their relative path."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def check_keys(facts: dict[str, Any]) -> list[str]:
    """Return what is wrong with the keys of a case.toml and their values."""
    keys = ALWAYS if facts.get("clean") is True else ALWAYS | PLANTED
    wrong = [f"unknown key {key}" for key in facts if key not in keys]
    wrong += [f"{key} is missing or not of type {kind.__name__}" for key, kind in keys.items() if type(facts.get(key)) is not kind]
    wrong += [f"{key} is empty" for key, value in facts.items() if value == ""]
    if wrong:
        return wrong
    if facts["role"] not in ROLES:
        wrong.append(f"role {facts['role']!r} is not one of {', '.join(ROLES)}")
    if keys is not ALWAYS:
        if facts["severity"] not in SEVERITIES:
            wrong.append(f"severity {facts['severity']!r} is not one of {', '.join(SEVERITIES)}")
        if not WORD.fullmatch(facts["topic"]):
            wrong.append(f"topic {facts['topic']!r} is not in kebab-case")
    return wrong


def check_place(facts: dict[str, Any], base: dict[str, bytes], head: dict[str, bytes]) -> list[str]:
    """Return what is wrong with the lines to blame."""
    path = facts["path"]
    if path not in head:
        return [f"{path} is not in head"]
    wrong = [] if base.get(path) != head[path] else [f"{path} is the same in base and head"]
    lines = len(head[path].splitlines())
    if not 1 <= facts["start_line"] <= facts["end_line"] <= lines:
        wrong.append(f"lines {facts['start_line']}-{facts['end_line']} are not in {path}, which has {lines}")
    return wrong


def check_case(folder: Path) -> list[str]:
    """Return what is wrong with the files of a case, before any test is run."""
    wrong = [f"{name} is missing" for name in ("case.toml", "hidden.sh", "base", "head") if not (folder / name).exists()]
    if wrong:
        return wrong
    wrong += [f"{path.relative_to(folder)} must not be there" for path in sorted(folder.rglob("__pycache__"))]
    try:
        facts = tomllib.loads((folder / "case.toml").read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return [*wrong, f"case.toml cannot be read: {error}"]
    base, head = files(folder / "base"), files(folder / "head")
    if base == head:
        wrong.append("base and head are the same")
    if not WORD.fullmatch(folder.name):
        wrong.append("the name of the folder is not in kebab-case")
    keys = check_keys(facts)
    if not keys and not facts["clean"]:
        wrong += check_place(facts, base, head)
    return wrong + keys


def run_hidden(folder: Path, side: str) -> tuple[int | None, str]:
    """Run the hidden test in a copy of one side; return its exit code (None: too slow) and the last line it wrote."""
    with tempfile.TemporaryDirectory(prefix="planted-") as temporary:
        copy = Path(temporary) / "repository"
        shutil.copytree(folder / side, copy)
        try:
            done = subprocess.run(
                ["/bin/sh", str(folder / "hidden.sh")],
                cwd=copy,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=TIMEOUT,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return None, ""
    lines = done.stdout.decode(errors="replace").strip().splitlines()
    return done.returncode, lines[-1] if lines else ""


def check_tests(folder: Path) -> list[str]:
    """Return what is wrong with the exit codes of the hidden test."""
    clean = tomllib.loads((folder / "case.toml").read_text(encoding="utf-8"))["clean"]
    wrong = []
    for side, wanted in (("base", 0), ("head", 0 if clean else 1)):
        code, last = run_hidden(folder, side)
        if code is None:
            wrong.append(f"hidden.sh took longer than {TIMEOUT} s at {side}")
        elif code != wanted:
            wrong.append(f"hidden.sh exited with {code} instead of {wanted} at {side}: {last}")
    return wrong


def main() -> int:
    """Check every case and print one line for each."""
    cases = sorted(path for path in ROOT.iterdir() if path.is_dir() and path.name != "__pycache__")
    failed = 0
    for folder in cases:
        wrong = check_case(folder) or check_tests(folder)
        failed += bool(wrong)
        print(f"{'WRONG' if wrong else 'ok':<6} {folder.name}{': ' if wrong else ''}{'; '.join(wrong)}", flush=True)
    print(f"{len(cases)} cases, {failed} wrong")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
