"""How promises are written down and tried."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from sandbox.box import Box, BoxSpec, Command, ExecResult
from sandbox.driver import Driver
from sandbox.limits import Limits

MIB = 1 << 20
SMALL = Limits(memory_bytes=512 * MIB, pids=64, cpus=1, disk_bytes=64 * MIB)


@dataclass(frozen=True, slots=True)
class Check:
    """One promise: `name` in words of a sentence, `area` for grouping, `run` to try it."""

    name: str
    area: str
    run: Callable[[Driver], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one check; `problem` is None when the promise holds."""

    check: Check
    problem: str | None
    duration_s: float


CHECKS: list[Check] = []


async def run_checks(driver: Driver, checks: Sequence[Check] | None = None) -> AsyncIterator[Outcome]:
    """Run the checks one after the other; each has a minute."""
    for check in CHECKS if checks is None else checks:
        started = time.monotonic()
        problem: str | None = None
        try:
            async with asyncio.timeout(60):
                await check.run(driver)
        except Exception as error:  # a broken promise may show as any error; it becomes the outcome
            problem = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        yield Outcome(check, problem, time.monotonic() - started)


def promise(name: str, area: str) -> Callable[[Callable[[Driver], Awaitable[None]]], Callable[[Driver], Awaitable[None]]]:
    def register(function: Callable[[Driver], Awaitable[None]]) -> Callable[[Driver], Awaitable[None]]:
        CHECKS.append(Check(name, area, function))
        return function

    return register


@contextlib.asynccontextmanager
async def a_box(driver: Driver, spec: BoxSpec | None = None) -> AsyncIterator[Box]:
    box = await driver.create(spec or BoxSpec(limits=SMALL))
    try:
        yield box
    finally:
        await box.delete()


async def shell(box: Box, script: str, *, timeout_s: float = 20.0) -> ExecResult:
    return await box.exec(Command(["sh", "-c", script]), timeout_s=timeout_s)


async def python(box: Box, script: str, *, timeout_s: float = 20.0) -> ExecResult:
    return await box.exec(Command(["python3", "-I", "-S", "-c", script]), timeout_s=timeout_s)


def expect(actual: object, expected: object, what: str) -> None:
    if actual != expected:
        raise AssertionError(f"{what}: expected {expected!r}, got {actual!r}")
