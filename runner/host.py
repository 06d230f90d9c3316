"""A runner host: its boxes, its ways to review, and its place in the registry."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog
from arq.connections import ArqRedis
from box_review import RoleReport, __version__
from box_review.jobs import HOSTS, HostReport
from redis.exceptions import RedisError

from runner.api.boxes import Boxes, Surroundings
from runner.api.github_api import Server as GitHub
from runner.api.server import Network, serving
from runner.api.shared import Shared
from runner.artifacts import Artifacts
from runner.checkout import Checkouts
from runner.errors import HostMisconfigured, ReviewerFailed
from runner.evidence.errors import EvidenceError
from runner.evidence.toolbox import build_toolbox
from runner.harness.builtin import Builtin
from runner.harness.contract import Harness
from runner.harness.install import installed
from runner.harness.reviewer import AgentReviewer, Common
from runner.harness.static import StaticHarness
from runner.reviews import Reviews, ReviewState
from runner.roles import read_roles
from runner.settings import RunnerSettings
from sandbox.box import Box, BoxSpec, Mount
from sandbox.bubblewrap import BubblewrapDriver
from sandbox.docker.driver import DockerDriver
from sandbox.driver import Driver
from sandbox.errors import SandboxError
from sandbox.gateway.errors import BadName
from sandbox.gateway.prices import Prices, list_prices, read_prices
from sandbox.gateway.provider import ModelSettings, Provider, ProviderName
from sandbox.gateway.settings import GatewaySettings
from sandbox.gvisor.driver import GvisorDriver
from sandbox.limits import SIZES
from sandbox.stored import WayOut

log = structlog.get_logger()

DRIVERS: Mapping[str, Callable[[RunnerSettings], Driver]] = {  # the best first
    "gvisor": lambda settings: GvisorDriver(settings.box_data_dir, way_out(settings)),
    "docker": lambda settings: DockerDriver(
        settings.box_data_dir, way_out(settings), runtime=settings.box_docker_runtime, image=settings.box_docker_image
    ),
    "bubblewrap": lambda settings: BubblewrapDriver(settings.box_data_dir, way_out(settings)),
}
SIGN_OF_LIFE_S = 5.0
NO_MODEL = (
    "no model is configured on the host: with ANTHROPIC_API_KEY, with OPENAI_API_KEY, or with OPENAI_BASE_URL and BOX_MODEL for a server "
    "of your own, agents review too and prove what they find"
)
SWEEP_S = 60.0


@dataclass(frozen=True)
class Host:
    """Everything jobs work with."""

    id: str
    settings: RunnerSettings
    driver: Driver
    harnesses: Mapping[str, Harness]
    reviews: Reviews
    artifacts: Artifacts
    checkouts: Checkouts
    boxes: str
    tenant_boxes: Boxes

    def harness(self, name: str) -> Harness:
        """A harness by name. Raises ReviewerFailed."""
        found = self.harnesses.get(name)
        if found is None:
            raise ReviewerFailed(f"this host has no harness {name!r}; it has {', '.join(sorted(self.harnesses))}")
        return found

    def box_spec(self, review_id: str, lane: str, mounts: tuple[Mount, ...]) -> BoxSpec:
        """The box of one lane of a review."""
        labels = {"review": review_id, "role": lane}
        return BoxSpec(limits=SIZES["medium"], mounts=mounts, labels=labels, ttl_s=self.settings.box_retention_s)

    def hand_over(self, review: ReviewState, report: RoleReport, box: Box) -> None:
        """Let whoever asked for a review use a reviewer's box, its agent included: to ask it more, or to look for himself."""
        known: dict[str, object] = {"size": "medium", "labels": ("review", review.review_id)}
        if report.harness in self.tenant_boxes.agents and report.model:
            known |= {"agent": report.harness, "model": report.model, "session_id": report.session_id or None}
        self.tenant_boxes.adopt(review.tenant, f"{review.review_id}-{report.role}", box, **known)

    def report(self) -> HostReport:
        """What it tells the fleet."""
        return HostReport(
            id=self.id,
            version=__version__,
            capacity=self.settings.box_runner_jobs,
            drivers=(self.driver.name,),
            harnesses=tuple(sorted(self.harnesses)),
            roles=tuple(sorted({role for harness in self.harnesses.values() for role in harness.roles()})),
            boxes=self.boxes,
            held=len(self.driver.boxes()),
            harness=self.settings.harness,
            seen_at=time.time(),
        )


@contextlib.asynccontextmanager
async def open_host(settings: RunnerSettings, redis: ArqRedis, harnesses: Mapping[str, Harness] | None = None) -> AsyncIterator[Host]:
    """Open the boxes of this host for as long as the context lasts.

    Args:
        harnesses: ways to review beside the built-in ones.

    Raises:
        HostMisconfigured: a setting cannot be used, e.g. a driver that does not exist.
        SandboxError: boxes cannot be made here, or another runner holds the data directory.
    """
    data = settings.box_data_dir
    try:
        toolbox = await asyncio.to_thread(build_toolbox, data / "tools")
    except EvidenceError as error:
        raise HostMisconfigured(str(error)) from error
    roles = await asyncio.to_thread(read_roles, settings.box_roles_dir)
    static = StaticHarness(toolbox)
    agents = await asyncio.to_thread(installed, settings.harness_dir)
    async with open_driver(settings) as driver:
        driver.keep_ready(settings.box_standby)
        artifacts = Artifacts(settings.artifacts_url)
        agents["builtin"] = Builtin(driver.gateway)
        common = Common(toolbox, driver.gateway, artifacts, settings.model, roles)
        reviewers = {name: AgentReviewer(agent, common) for name, agent in agents.items()}
        if settings.harness not in {static.name, *reviewers, *(harnesses or {})}:
            raise HostMisconfigured(
                f"BOX_HARNESS: this host has no {settings.harness!r}; it has {', '.join(sorted([static.name, *reviewers]))}; "
                "`box-review harness add NAME` fetches one"
            )
        surroundings = Surroundings(Shared(redis), GitHub(settings.github_api_url.rstrip("/")), agents, settings.model)
        async with serving(driver, data, surroundings, network_of(settings)) as served:
            yield Host(
                id=await asyncio.to_thread(_host_id, data),
                settings=settings,
                driver=driver,
                harnesses={static.name: static, **reviewers, **(harnesses or {})},
                reviews=Reviews(redis, settings.box_budget_usd),
                artifacts=artifacts,
                checkouts=Checkouts(driver, artifacts, data / "checkouts"),
                boxes=served.address,
                tenant_boxes=served.boxes,
            )


def network_of(settings: RunnerSettings) -> Network | None:
    """How fronts on other machines reach this host; None if it listens for those of its own machine alone. Raises HostMisconfigured."""
    if not settings.box_listen:
        return None
    if settings.box_host_token is None:
        raise HostMisconfigured("BOX_LISTEN needs BOX_HOST_TOKEN, the same for all hosts and fronts: whoever has it can use every box")
    host, _, port = settings.box_listen.rpartition(":")
    url = settings.box_listen_url or f"http://{settings.box_listen}"
    return Network(host.strip("[]"), int(port), url, settings.box_host_token)


def way_out(settings: RunnerSettings) -> WayOut:
    """How boxes of this host reach the outside. Raises HostMisconfigured."""
    try:
        providers: dict[ProviderName, Provider] = {
            "anthropic": Provider("anthropic", settings.anthropic_base_url, settings.anthropic_api_key),
            "openai": Provider("openai", settings.openai_base_url, settings.openai_api_key),
        }
    except BadName as error:
        raise HostMisconfigured(f"ANTHROPIC_BASE_URL or OPENAI_BASE_URL cannot be used: {error}") from error
    gateway = GatewaySettings(allowed_ports=frozenset(settings.box_allowed_ports), allow_private=tuple(settings.box_allow_private))
    return WayOut(settings=gateway, models=ModelSettings(providers=providers, prices=_prices(settings.box_prices)))


def _prices(file: Path | None) -> Prices:
    """The list that comes with us, and the operator's before it. Raises HostMisconfigured."""
    if file is None:
        return list_prices()
    try:
        own = read_prices(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise HostMisconfigured(f"BOX_PRICES: {file}: {error}") from error
    return Prices({**list_prices().by_model, **own.by_model})


@contextlib.asynccontextmanager
async def open_driver(settings: RunnerSettings) -> AsyncIterator[Driver]:
    """The driver the settings ask for, tried once; `auto` is the best this host has. Raises HostMisconfigured, SandboxError."""
    names = list(DRIVERS) if settings.box_driver == "auto" else [settings.box_driver]
    if unknown := set(names) - DRIVERS.keys():
        raise HostMisconfigured(f"there is no driver {unknown.pop()!r} (BOX_DRIVER); known are auto, {', '.join(DRIVERS)}")
    async with contextlib.AsyncExitStack() as stack:
        for name in names[:-1]:
            try:
                driver = await _open(stack, DRIVERS[name](settings))
            except SandboxError as error:
                log.info("a better driver cannot be used here", driver=name, reason=str(error))
            else:
                yield driver
                return
        yield await _open(stack, DRIVERS[names[-1]](settings))


async def _open(stack: contextlib.AsyncExitStack, driver: Driver) -> Driver:
    """Open a driver and make a box: a host that cannot must say so now, not in every review."""
    async with contextlib.AsyncExitStack() as trial:
        await trial.enter_async_context(driver)
        await (await driver.create(BoxSpec())).delete()
        stack.push_async_exit(trial.pop_all())
    return driver


async def keep_house(host: Host, redis: ArqRedis) -> None:
    """Show signs of life, end what is overdue, delete what is past its time; until cancelled."""
    swept = time.monotonic()
    while True:
        with contextlib.suppress(RedisError, OSError):  # the worker says that Redis is away
            await redis.hset(HOSTS, host.id, host.report().model_dump_json())  # type: ignore[misc]
            await host.reviews.overdue_or_forgotten()
        if time.monotonic() - swept > SWEEP_S:
            swept = time.monotonic()
            try:
                await host.checkouts.forget_unused()
                await host.driver.sweep()
                if host.settings.box_freeze_after_s:
                    await host.driver.freeze_idle(host.settings.box_freeze_after_s, host.settings.box_freeze_cold_after_s)
            except (SandboxError, OSError) as error:
                log.warning("the sweep failed; it is tried again", error=str(error))
        await asyncio.sleep(SIGN_OF_LIFE_S)


def _host_id(data: Path) -> str:
    """The same across restarts: boxes and leases belong to it."""
    file = data / "host-id"
    if not file.exists():
        file.write_text(f"h{secrets.token_hex(6)}")
    return file.read_text().strip()
