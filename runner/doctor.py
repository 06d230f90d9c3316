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
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
from box_review import __version__

from runner.errors import RunnerError
from runner.harness.install import PACKAGES, installed
from runner.host import DRIVERS, open_driver
from runner.settings import RunnerSettings
from sandbox.conformance import CHECKS, Outcome, run_checks
from sandbox.errors import SandboxError

ADDS = {
    "gvisor": "a kernel of its own for every box, and frozen boxes that keep their processes",
    "docker": "Docker images as runtimes, and limits for whole boxes where this user may not make control groups",
    "bubblewrap": "boxes that start in some 30 ms and need nothing installed",
}


@dataclass(frozen=True)
class DriverReport:
    """One driver on this machine. `problem` is None where it can be used; it says what is missing and how to get it."""

    name: str
    adds: str
    problem: str | None
    isolation: str = ""
    freezing: str = ""
    limits: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    promises: int = 0
    broken: tuple[str, ...] = ()


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Attributes:
        driver: what boxes here are made with, None where none can be.
        why: the reason it was picked.
        drivers: all of them, the best first.
        harnesses: what can review here, with versions.
        model: what agents ask where nothing else is said; empty for none.
    """

    version: str
    machine: str
    user: str
    data_dir: str
    git: str
    driver: str | None
    why: str
    drivers: tuple[DriverReport, ...]
    harnesses: tuple[str, ...]
    model: str

    @property
    def healthy(self) -> bool:
        """True if reviews can be done here."""
        return self.driver is not None and bool(self.git) and not any(report.broken for report in self.drivers)


@click.command("doctor", short_help="Say what this machine can isolate, freeze and limit.")
@click.option("--driver", default=None, help="Driver to examine, or `all`.  [default: BOX_DRIVER or auto]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(driver: str | None, as_json: bool) -> None:
    """Make boxes on this machine and try every promise of the driver on them: isolation and ways out, limits, files, freezing.

    Uses a temporary data directory beside the real one; a running server is not disturbed.
    Exit codes: 0 reviews can be done here, 2 there is no such driver, 3 reviews cannot be done here.
    """
    settings = RunnerSettings()
    wanted = driver or settings.box_driver
    if wanted not in ("auto", "all", *DRIVERS):
        raise click.UsageError(f"there is no driver {wanted!r}; known are auto, all, {', '.join(DRIVERS)}")
    diagnosis = asyncio.run(_diagnose(settings, wanted, quiet=as_json))
    if as_json:
        click.echo(json.dumps({**asdict(diagnosis), "healthy": diagnosis.healthy}, indent=2))
    else:
        _print(diagnosis)
    sys.exit(0 if diagnosis.healthy else 3)


async def _diagnose(settings: RunnerSettings, wanted: str, *, quiet: bool) -> Diagnosis:
    reports: list[DriverReport] = []
    picked = None
    for name in DRIVERS:
        candidate = wanted in ("auto", "all", name)
        examine = wanted in ("all", name) or (wanted == "auto" and picked is None)
        report = await _examine(settings, name, examine=examine, quiet=quiet)
        reports.append(report)
        if candidate and picked is None and report.problem is None:
            picked = name
    asked = "BOX_DRIVER asks for it" if wanted in DRIVERS else "the first of " + ", ".join(DRIVERS) + " that works here"
    return Diagnosis(
        version=__version__,
        machine=f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} cores",
        user="root" if os.geteuid() == 0 else "ordinary user",
        data_dir=str(settings.box_data_dir),
        git=shutil.which("git") or "",
        driver=picked,
        why=asked,
        drivers=tuple(reports),
        harnesses=("static", "builtin", *(f"{name} {agent.version}" for name, agent in installed(settings.harness_dir).items())),
        model=settings.model,
    )


async def _examine(settings: RunnerSettings, name: str, *, examine: bool, quiet: bool) -> DriverReport:
    """Open one driver in a folder of its own and make a box; with `examine`, try every promise."""
    try:
        with _trial_folder(settings.box_data_dir) as folder:
            trial = settings.model_copy(update={"box_data_dir": folder, "box_driver": name})
            async with open_driver(trial) as driver:
                can = driver.capabilities
                report = DriverReport(
                    name=name,
                    adds=ADDS[name],
                    problem=None,
                    isolation=can.isolation,
                    freezing="warm: processes stopped in memory; cold: " + ("files and processes" if can.freezes_memory else "files only"),
                    limits=tuple(sorted(can.limits)),
                    notices=can.notices,
                )
                if not examine:
                    return report
                broken = [
                    f"{outcome.check.name}: {outcome.problem}"
                    async for outcome in _with_progress(run_checks(driver), name, quiet=quiet)
                    if outcome.problem
                ]
                return replace(report, promises=len(CHECKS), broken=tuple(broken))
    except (SandboxError, RunnerError, OSError) as error:
        return DriverReport(name=name, adds=ADDS[name], problem=str(error))


async def _with_progress(outcomes: AsyncIterator[Outcome], name: str, *, quiet: bool) -> AsyncIterator[Outcome]:
    shown = not quiet and sys.stderr.isatty()
    done = 0
    async for outcome in outcomes:
        done += 1
        if shown:
            click.echo(f"\r\x1b[K{name}: trying {done}/{len(CHECKS)}: {outcome.check.name[:70]}", err=True, nl=False)
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
    if found.driver:
        click.echo(f"driver          {click.style(found.driver, fg='green')}: {found.why}")
    else:
        click.echo(f"driver          {click.style('none can be used', fg='red')}; boxes cannot be made here")
    missing = [name for name in PACKAGES if not any(there.startswith(name) for there in found.harnesses)]
    more = f"; box-review harness add {' '.join(missing)}" if missing else ""
    click.echo(f"harnesses       {', '.join(found.harnesses)}{more}")
    click.echo(f"model           {found.model or 'none is configured (BOX_MODEL): analyzers alone review'}")
    for report in found.drivers:
        click.echo()
        _print_driver(report)


def _print_driver(report: DriverReport) -> None:
    if report.problem:
        click.echo(f"{report.name}: {click.style('cannot be used', fg='yellow')}: {report.problem}")
        click.echo(f"  would add   {report.adds}")
        return
    click.echo(f"{report.name}: {click.style('works', fg='green')}")
    click.echo(f"  isolation   {report.isolation}")
    click.echo(f"  limits      {', '.join(report.limits)}")
    click.echo(f"  freezing    {report.freezing}")
    for notice in report.notices:
        click.echo(f"  weaker      {notice}")
    if report.promises:
        click.echo(f"  promises    {report.promises - len(report.broken)} of {report.promises} kept")
    for broken in report.broken:
        click.echo(f"    {click.style('broken', fg='red')}  {broken}")
