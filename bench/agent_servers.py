"""Agent servers: what observing adds to a request, how soon a frozen tenant answers, and what a tenant that sleeps costs."""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from box_review.agent_server import AgentServer, AgentServers
from box_review.client import Address

from bench.measure import tell
from tests.flow.agent_server.conftest import counting
from tests.server import Server, children

A_SECOND, SECONDS = 1000, 8
CYCLES = 15
TENANTS = 100
_REQUEST = "Where is my order 4711? " * 20
_RESPONSE = "It is on its way. " * 40


async def run(folder: Path) -> None:
    """Measure on servers of its own."""
    await asyncio.to_thread(_run, folder)


def _run(folder: Path) -> None:
    with Server(folder / "d", BOX_DRIVER="bubblewrap") as server:
        with AgentServers(address=server.address) as servers:
            servers.of("warm").ask("anything?")
            _observing("server up", servers)
        _sleepers(server)
    with AgentServers(address=Address("http://127.0.0.1:9", "box_none")) as away:
        _observing("server down", away)
    for driver, target in (("bubblewrap", 0.3), ("gvisor", 0.6)):
        with Server(folder / driver, BOX_DRIVER=driver) as server, AgentServer("one", address=server.address, **counting()) as agent:
            _waking(driver, target, agent)


def _observing(where: str, servers: AgentServers) -> None:
    """At a thousand requests a second; the baseline is a call that does nothing, paced alike."""
    took = _paced(lambda number: servers.observe(f"tenant {number % 20}", _REQUEST, _RESPONSE, {"method": "POST", "path": "/chat"}))
    nothing = _paced(lambda _: False)
    for name, at, target in (("p50", 0.5, 50.0), ("p99", 0.99, 50.0)):
        figure, base = (statistics.quantiles(times, n=1000)[int(at * 1000) - 1] * 1e6 for times in (took, nothing))
        tell(f"observe at {A_SECOND}/s, {where}, {name}", figure, target, "us", nothing_us=round(base, 2))
    counts = servers.observer.counts
    tell(f"observations dropped, {where}", counts.dropped if where == "server up" else 0, 0, "", taken=counts.taken, dropped=counts.dropped)


def _paced(work: Callable[[int], object]) -> list[float]:
    took, begin = [], time.perf_counter()
    for number in range(A_SECOND * SECONDS):
        due = begin + number / A_SECOND
        if (left := due - time.perf_counter()) > 0:
            time.sleep(left)
        began = time.perf_counter()
        work(number)
        took.append(time.perf_counter() - began)
    return took


def _waking(driver: str, target: float, agent: AgentServer) -> None:
    """A cold tenant to its first answer; the baseline is the same question while it is awake."""
    agent.memory().learn("The plan is gold.")
    agent.ask("warm up?")
    cold, awake = [], []
    for _ in range(CYCLES):
        agent.freeze()
        cold.append(_timed(lambda: agent.ask("what is the plan?")))
        awake.append(_timed(lambda: agent.ask("what is the plan?")))
    base = statistics.median(awake)
    tell(
        f"cold tenant to first answer, {driver}, p50",
        statistics.median(cold),
        target,
        "s",
        times_awake=round(statistics.median(cold) / base, 2),
    )


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _sleepers(server: Server) -> None:
    """What tenants that sleep cost: memory of all processes of the server, and disk."""
    before = _memory(server), _disk(server.data_dir)
    with AgentServers(address=server.address) as servers:
        for number in range(TENANTS):
            agent = servers.of(f"sleeper {number}")
            agent.memory().learn("The plan is gold.")
            agent.freeze()
    time.sleep(2)
    after = _memory(server), _disk(server.data_dir)
    tell("memory of a tenant that sleeps", (after[0] - before[0]) / TENANTS / 1024, 100, "KB", tenants=TENANTS)
    tell("disk of a tenant that sleeps", (after[1] - before[1]) / TENANTS / 1024, 1000, "KB", tenants=TENANTS)


def _memory(server: Server) -> int:
    """Bytes resident, of the server and everything below it."""
    pages = [Path(f"/proc/{pid}/statm") for pid in (server.process.pid, *children(server.process.pid))]
    return sum(int(path.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") for path in pages if path.exists())


def _disk(folder: Path) -> int:
    done = subprocess.run(["du", "-sb", folder], capture_output=True, text=True, check=False)
    return int(done.stdout.split()[0])
