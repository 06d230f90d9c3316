"""`box-review doctor`: what this machine can isolate, freeze and limit, tried out rather than guessed."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click
from box_review import __version__

from runner.errors import RunnerError
from runner.host import DRIVERS, open_driver
from runner.settings import RunnerSettings
from sandbox.conformance import CHECKS, Outcome, run_checks
from sandbox.errors import SandboxError


@dataclass(frozen=True)
class Diagnosis:
    """What was found. `problem` is None when boxes work; `broken` names promises that do not hold here."""

    version: str
    machine: str
    user: str
    data_dir: str
    driver: str
    isolation: str
    limits: tuple[str, ...]
    notices: tuple[str, ...]
    promises: int
    broken: tuple[str, ...]
    git: str
    problem: str | None

    @property
    def healthy(self) -> bool:
        """True if reviews can be done here."""
        return self.problem is None and not self.broken and bool(self.git)


@click.command("doctor", short_help="Say what this machine can isolate, freeze and limit.")
@click.option("--driver", default=None, help="Driver to examine.  [default: BOX_DRIVER or auto]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(driver: str | None, as_json: bool) -> None:
    """Make boxes on this machine and try every promise of the driver on them: isolation, limits, files, freezing.

    Uses a temporary data directory beside the real one; a running server is not disturbed.
    Exit codes: 0 reviews can be done here, 3 they cannot.
    """
    diagnosis = asyncio.run(_diagnose(driver, quiet=as_json))
    if as_json:
        click.echo(json.dumps({**asdict(diagnosis), "healthy": diagnosis.healthy}, indent=2))
    else:
        _print(diagnosis)
    sys.exit(0 if diagnosis.healthy else 3)


async def _diagnose(driver: str | None, *, quiet: bool) -> Diagnosis:
    settings = RunnerSettings()
    found = {"driver": driver or settings.box_driver, "isolation": "none", "limits": (), "notices": ()}
    broken: list[str] = []
    problem = None
    try:
        with _trial_folder(settings.box_data_dir) as folder:
            trial = settings.model_copy(update={"box_data_dir": folder, **({"box_driver": driver} if driver else {})})
            async with open_driver(trial) as opened:
                can = opened.capabilities
                found = {"driver": opened.name, "isolation": can.isolation, "limits": tuple(sorted(can.limits)), "notices": can.notices}
                async for outcome in _with_progress(run_checks(opened), quiet=quiet):
                    if outcome.problem:
                        broken.append(f"{outcome.check.name}: {outcome.problem}")
    except (SandboxError, RunnerError, OSError) as error:
        problem = str(error)
    return Diagnosis(
        version=__version__,
        machine=f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} cores",
        user="root" if os.geteuid() == 0 else "ordinary user",
        data_dir=str(settings.box_data_dir),
        promises=len(CHECKS),
        broken=tuple(broken),
        git=shutil.which("git") or "",
        problem=problem,
        **found,  # type: ignore[arg-type]
    )


async def _with_progress(outcomes: AsyncIterator[Outcome], *, quiet: bool) -> AsyncIterator[Outcome]:
    shown = not quiet and sys.stderr.isatty()
    done = 0
    async for outcome in outcomes:
        done += 1
        if shown:
            click.echo(f"\r\x1b[Ktrying {done}/{len(CHECKS)}: {outcome.check.name[:70]}", err=True, nl=False)
        yield outcome
    if shown:
        click.echo("\r\x1b[K", err=True, nl=False)


@contextlib.contextmanager
def _trial_folder(data_dir: Path) -> Iterator[Path]:
    """A folder that the users of boxes can pass through, on the same file system as the real one: the same answers."""
    with tempfile.TemporaryDirectory(prefix="box-review-doctor-", dir=_beside(data_dir), ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def _beside(data_dir: Path) -> Path | None:
    """The data directory or the nearest folder above it that we can write to; None: the system's for temporary files."""
    for folder in (data_dir, *data_dir.parents):
        if folder.is_dir():
            return folder if os.access(folder, os.W_OK | os.X_OK) and folder != Path("/") else None
    return None


def _print(found: Diagnosis) -> None:
    click.echo(f"box-review {found.version} on {found.machine}, as {found.user}")
    click.echo(f"data directory  {found.data_dir}")
    click.echo(f"git             {found.git or 'missing: apt install git'}")
    if found.problem:
        click.echo(f"driver          {found.driver}: {click.style('cannot be used', fg='red')}: {found.problem}")
        return
    click.echo(f"driver          {found.driver} ({click.style('works', fg='green')}; of {', '.join(DRIVERS)})")
    click.echo(f"isolation       {found.isolation}")
    click.echo(f"limits          {', '.join(found.limits)}")
    click.echo("freezing        warm: processes stopped in memory; cold: files only")
    for notice in found.notices:
        click.echo(f"weaker here     {notice}")
    click.echo(f"promises        {found.promises - len(found.broken)} of {found.promises} kept")
    for broken in found.broken:
        click.echo(f"  {click.style('broken', fg='red')}  {broken}")
