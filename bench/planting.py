"""`python -m bench.planting`: reviews of planted bugs and of clean changes, by any harness and model; what `make bench-review` runs.

Prints recall (planted bugs whose file and lines a finding names), false alarms (findings of medium severity or worse on clean changes),
the share of proven findings, time and cost. `scripted` stands in for a model: it finds every second bug and makes a false claim
each time, so the figures are known beforehand and the pipeline is what is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from box_review import ReviewRecord, Severity
from box_review.client import Address, AsyncClient, Options

from bot.serve import embedded

CASES = Path(__file__).parent / "planted"
NEAR = 3
"""Lines that a finding may lie away from what is to blame."""
_WHO = {f"GIT_{who}_{what}": f"bench{at}" for who in ("AUTHOR", "COMMITTER") for what, at in (("NAME", ""), ("EMAIL", "@example.org"))}


@dataclass(frozen=True)
class Case:
    """One pull request; `bug` is None for a clean one."""

    name: str
    title: str
    role: str
    bug: str | None
    path: str
    start_line: int
    end_line: int

    @classmethod
    def read(cls, folder: Path) -> Case:
        """From its `case.toml`."""
        said = tomllib.loads((folder / "case.toml").read_text(encoding="utf-8"))
        place = (said.get("path", ""), said.get("start_line", 0), said.get("end_line", 0))
        return cls(folder.name, said["title"], said["role"], said.get("bug"), *place)

    def repository(self, folder: Path) -> Path:
        """A git repository with two commits, base and head."""
        environment = {**os.environ, **_WHO, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}

        def git(*words: str | Path, tree: str = "") -> None:
            trees = [f"--git-dir={folder}/.git", f"--work-tree={CASES / self.name / tree}"] if tree else ["-C", str(folder)]
            # Nothing of git may go on in the background, where it would meet the folder being removed.
            subprocess.run(
                ["git", "-c", "gc.auto=0", "-c", "maintenance.auto=false", *trees, *words], check=True, capture_output=True, env=environment
            )

        folder.mkdir(parents=True)
        git("init", "-q", "-b", "main")
        for tree, message in (("base", "base"), ("head", self.title)):
            git("add", "--all", tree=tree)
            git("commit", "-q", "-m", message, tree=tree)
        return folder

    def hidden_test(self) -> str:
        """The script that passes at base and, where there is a bug, fails at head."""
        return (CASES / self.name / "hidden.sh").read_text(encoding="utf-8")

    def found_by(self, record: ReviewRecord) -> bool:
        """True if a finding lies where the bug is."""
        return any(
            finding.path == self.path and finding.start_line <= self.end_line + NEAR and self.start_line - NEAR <= finding.end_line
            for finding in record.findings
        )


@dataclass(frozen=True)
class Outcome:
    """One case, reviewed."""

    case: Case
    record: ReviewRecord
    seconds: float

    @property
    def alarms(self) -> int:
        """Findings on a clean change that would cost its author time."""
        return sum(finding.severity.at_least(Severity.MEDIUM) for finding in self.record.findings) if self.case.bug is None else 0


def cases(only: Sequence[str] = ()) -> list[Case]:
    """All of them, or those named."""
    folders = sorted(file.parent for file in CASES.glob("*/case.toml"))
    return [Case.read(folder) for folder in folders if not only or folder.name in only]


async def run(wanted: Sequence[Case], address: Address, options: Options, at_once: int) -> list[Outcome]:
    """Review the cases, a few at a time; progress goes to standard error."""
    turns, done = asyncio.Semaphore(at_once), 0

    async def one(case: Case, folder: Path) -> Outcome:
        nonlocal done
        async with turns:
            repository = await asyncio.to_thread(case.repository, folder / case.name)
            started = time.monotonic()
            record = await client.review(repository, base="HEAD~1", options=options)
            done += 1
            print(f"{done}/{len(wanted)} {case.name}: {record.status.value}, {len(record.findings)} findings", file=sys.stderr)
            return Outcome(case, record, time.monotonic() - started)

    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        async with AsyncClient(address) as client:
            return list(await asyncio.gather(*(one(case, Path(folder)) for case in wanted)))


def figures(outcomes: Sequence[Outcome]) -> dict[str, float | int]:
    """What the reviews came to."""
    planted = [outcome for outcome in outcomes if outcome.case.bug is not None]
    clean = [outcome for outcome in outcomes if outcome.case.bug is None]
    hits = [outcome for outcome in planted if outcome.case.found_by(outcome.record)]
    proven = [o for o in hits if any(f.proof.state.value == "proven" for f in o.record.findings)]
    seconds = sorted(outcome.seconds for outcome in outcomes)
    return {
        "planted": len(planted),
        "found": len(hits),
        "recall": round(len(hits) / len(planted), 3) if planted else 0.0,
        "proof_rate": round(len(proven) / len(hits), 3) if hits else 0.0,
        "clean": len(clean),
        "clean_with_alarm": sum(outcome.alarms > 0 for outcome in clean),
        "false_alarms": sum(outcome.alarms for outcome in clean),
        "dropped": sum(len(outcome.record.dropped) for outcome in outcomes),
        "incomplete": sum(outcome.record.status.value != "completed" for outcome in outcomes),
        "seconds_p50": round(seconds[len(seconds) // 2], 2) if seconds else 0.0,
        "input_tokens": sum(outcome.record.usage.input_tokens + outcome.record.usage.cached_input_tokens for outcome in outcomes),
        "output_tokens": sum(outcome.record.usage.output_tokens for outcome in outcomes),
        "cost_usd": round(sum(outcome.record.usage.cost_usd for outcome in outcomes), 4),
    }


def _grouped(wanted: Sequence[Case], roles: tuple[str, ...]) -> dict[tuple[str, ...], list[Case]]:
    """Cases by the roles that review them: those given, or each case's own."""
    groups: dict[tuple[str, ...], list[Case]] = {}
    for case in wanted:
        groups.setdefault(roles or (case.role,), []).append(case)
    return groups


@contextlib.contextmanager
def _server() -> Iterator[Address]:
    """The one of the environment, or one for as long as this takes."""
    if os.environ.get("BOX_REVIEW_URL"):
        yield Address.from_environment()
        return
    with embedded() as address:
        yield address


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit codes: 0 all were reviewed; 3 some came to no end."""
    parser = argparse.ArgumentParser(prog="python -m bench.planting", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--harness", default="static", help="static, scripted, builtin, claude-code, codex, opencode [static]")
    parser.add_argument("--model", default="", help="as `box-review review --model`")
    parser.add_argument("--budget", type=float, default=None, metavar="USD", help="for each review")
    parser.add_argument("--role", action="append", default=[], help="reviewers to run; repeatable [the case's own]")
    parser.add_argument("--case", action="append", default=[], help="this one alone; repeatable")
    parser.add_argument("--at-once", type=int, default=2, help="reviews at a time [2]")
    parser.add_argument("--json", action="store_true", help="one JSON object with every case")
    given = parser.parse_args(arguments)
    wanted = cases(given.case)
    if not wanted:
        parser.error(f"there is no case {given.case[0]!r} below {CASES}")
    with contextlib.ExitStack() as stack:
        harness, model = given.harness, given.model
        if harness == "scripted":
            from tests.fakes.planted import scripted  # noqa: PLC0415 - a checkout has them

            harness, model = "builtin", "openai/scripted"
            os.environ.update(stack.enter_context(scripted(wanted)))
        address = stack.enter_context(_server())
        outcomes: list[Outcome] = []
        for roles, mine in _grouped(wanted, tuple(given.role)).items():
            options = Options(harness=harness, model=model, budget_usd=given.budget, roles=roles)
            outcomes += asyncio.run(run(mine, address, options, given.at_once))
    found = {"harness": given.harness, "model": given.model, **figures(outcomes)}
    if given.json:
        found["cases"] = [  # type: ignore[assignment]
            {"name": o.case.name, "planted": o.case.bug is not None, "found": o.case.found_by(o.record), "findings": len(o.record.findings)}
            for o in outcomes
        ]
    print(json.dumps(found, indent=2 if given.json else None))
    return 3 if found["incomplete"] else 0


if __name__ == "__main__":
    sys.exit(main())
