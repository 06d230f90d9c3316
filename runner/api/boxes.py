"""Boxes as tenants see them: the driver's boxes under the names, owners and settings of the book."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

import structlog

from runner.api.book import Book
from runner.api.entries import BoxEntry, Run, SnapshotEntry
from runner.api.errors import BadInput, Missing, Taken
from runner.api.git_box import Clone, clone_into
from runner.api.github_api import Server as GitHub
from runner.api.runs import Runs
from runner.api.shared import Shared
from runner.api.skill_box import install
from runner.api.wire import MAX_ENV_BYTES, MAX_TTL_S, CreateBox
from runner.harness.agent import Agent
from sandbox.box import Box, BoxSpec, BoxState, Freeze
from sandbox.driver import Driver
from sandbox.errors import BadRequest, BoxBusy, BoxNotFound
from sandbox.gateway.errors import GatewayError
from sandbox.gateway.policy import NetworkPolicy
from sandbox.limits import SIZES

log = structlog.get_logger()

_NOT_SHOWN = {"tenant", "deleted", "env", "network_policy", "custom_runner", "mcp_servers", "cloned"}

RUNTIMES = ("node", "python", "golang", "ruby", "rust")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a host has beside its boxes."""

    shared: Shared
    github: GitHub = field(default_factory=GitHub)
    agents: Mapping[str, Agent] = field(default_factory=dict)
    model: str = ""
    """What agents ask where their box does not say."""


class Boxes:
    """Makes, finds, freezes and deletes boxes. One per host."""

    def __init__(self, driver: Driver, book: Book, runs: Runs, surroundings: Surroundings) -> None:
        self.driver, self.book, self.runs = driver, book, runs
        self.github, self.shared = surroundings.github, surroundings.shared
        self.agents, self.default_model = surroundings.agents, surroundings.model
        self._ending: set[asyncio.Future[None]] = set()  # tasks live as long as somebody holds them

    async def create(self, tenant: str, wanted: CreateBox) -> BoxEntry:
        """Make a box that can be used at once. Raises BadInput, Missing, Taken."""
        snapshot = self.book.snapshot(tenant, wanted.snapshot_id) if wanted.snapshot_id else None
        self._check_runtime(wanted.runtime)
        self._check_name(tenant, wanted.name)
        agent = self._agent(wanted, snapshot)
        env = await self.shared.env(tenant) | (snapshot.env if snapshot else {}) | wanted.env_vars
        if (env_bytes := sum(len(name.encode()) + len(value.encode()) for name, value in env.items())) > MAX_ENV_BYTES:
            raise BadInput(f"env_vars: {env_bytes} bytes with those of the account and the snapshot; {MAX_ENV_BYTES} are allowed")
        size = snapshot.size if snapshot and "size" not in wanted.model_fields_set else wanted.size
        ttl_s = (wanted.ttl or MAX_TTL_S) if wanted.ephemeral else None
        spec = BoxSpec(
            snapshot=snapshot.id if snapshot else None,
            limits=SIZES[size],
            env=env,
            labels={"tenant": tenant},
            ttl_s=ttl_s,
            keep_alive=wanted.keep_alive,
            init=wanted.init_command or "",
            network=wanted.network_policy,
            attach_headers=self._headers(wanted),
            mounts=self.agents[agent["agent"]].mounts if agent.get("agent") in self.agents else (),
        )
        try:
            box = await self.driver.create(spec)
        except (BadRequest, GatewayError) as error:
            raise BadInput(str(error)) from error
        now = int(time.time())
        entry = BoxEntry(
            id=box.id,
            tenant=tenant,
            created_at=now,
            updated_at=now,
            last_activity_at=now,
            expires_at=now + ttl_s if ttl_s else None,
            env=env,
            size=size,
            runtime=wanted.runtime or (snapshot.runtime if snapshot else None),
            **wanted.model_dump(include={"name", "labels", "keep_alive"}),
            **agent,
            network_policy=wanted.network_policy,
            mcp_servers=tuple(server.model_copy(update={"headers": {}}) for server in wanted.mcp_servers),
            enabled_skills=snapshot.enabled_skills if snapshot else (),
            **wanted.model_dump(include={"git_user_name", "git_user_email"}, exclude_none=True),
        )
        try:
            self.book.add_box(entry)
        except Taken:
            await box.delete()
            raise
        token = wanted.github_token or wanted.clone_token
        if token is not None:
            self.book.save_token(box.id, token.get_secret_value())
        try:
            entry = await self._furnish(entry, box, wanted)
        except BaseException:
            await self.delete(tenant, [box.id])
            raise
        self.book.log(box.id, "system", "box created" + (f" from snapshot {snapshot.id}" if snapshot else ""))
        return entry

    def adopt(self, tenant: str, name: str, box: Box, **known: Any) -> None:
        """Let a tenant use a box that was made for him elsewhere, under a name; `known` are settings of `BoxEntry`."""
        if self.book.has_name(tenant, name):
            self._forget(self.book.box(tenant, name))  # of an earlier try whose box is gone
        now = int(box.created_at.timestamp())
        times = {"created_at": now, "updated_at": now, "last_activity_at": int(time.time())}
        self.book.add_box(BoxEntry(id=box.id, tenant=tenant, name=name, network_policy=box.network, **times, **known))

    async def _furnish(self, entry: BoxEntry, box: Box, wanted: CreateBox) -> BoxEntry:
        """Bring in what a new box shall hold. Raises BadInput."""
        fresh = [ident for source in wanted.skills for ident in await install(box, self.github.host, source)]
        if fresh:
            entry = self.save(entry, enabled_skills=tuple(dict.fromkeys((*entry.enabled_skills, *fresh))))
        if wanted.clone_repo is not None:
            entry = self.save(await self.clone(entry, box, Clone(repo=wanted.clone_repo)), clone_repo=wanted.clone_repo)
        return entry

    async def clone(self, entry: BoxEntry, box: Box, wanted: Clone) -> BoxEntry:
        """Fetch a repository into a box. A token stays outside: the gateway adds it to requests to GitHub, from now on. Raises BadInput."""
        if wanted.github_token is not None:
            token = wanted.github_token.get_secret_value()
            box.attach_headers(self.github.headers(token))
            self.book.save_token(entry.id, token)
        repository = self.github.repository(await clone_into(box, wanted))
        if repository is None:
            return entry
        return self.save(entry, cloned=tuple(dict.fromkeys((*self.book.box_of_anyone(entry.id).cloned, repository)))[-100:])

    def _headers(self, wanted: CreateBox) -> dict[str, dict[str, str]]:
        """What the gateway adds to a box's requests; what its owner says of a host stands above what we would."""
        token = wanted.github_token or wanted.clone_token
        headers = self.github.headers(token.get_secret_value()) if token is not None else {}
        for server in wanted.mcp_servers:
            if server.headers:
                headers[urlsplit(server.package_or_url).hostname or ""] = dict(server.headers)
        return headers | wanted.attach_headers

    def _agent(self, wanted: CreateBox, snapshot: SnapshotEntry | None) -> dict[str, Any]:
        """The agent of a new box, with its model and program; what is not given comes from the snapshot. Raises BadInput."""
        names = ("agent", "model", "custom_runner")
        inherited = {name: getattr(snapshot, name) for name in names} if snapshot else {}
        given = {name: getattr(wanted, name) for name in names if getattr(wanted, name) is not None}
        if wanted.agent is not None:
            self.check_agent(wanted.agent)
            if inherited.get("agent") != wanted.agent:
                inherited = {}
        if wanted.agent_api_key is not None and (wanted.agent or inherited.get("agent")) == "custom":
            raise BadInput("agent_api_key: an agent of your own gets its secrets from its server through attach_headers, not from here")
        if wanted.agent_api_key is not None:
            raise BadInput("agent_api_key: this server asks models with its own keys; leave it out")
        agent = inherited | given
        return agent | ({"model": agent.get("model") or self._model_of(agent["agent"])} if agent.get("agent") else {})

    def _model_of(self, agent: str) -> str:
        """The model of a box that names none. Raises BadInput."""
        if agent == "custom":
            return agent
        if not self.default_model:
            raise BadInput(f"model: name one for the agent {agent}; this server has no model of its own choice (BOX_MODEL)")
        return self.default_model

    def check_agent(self, name: str) -> None:
        """Raises BadInput if this host has no such agent."""
        if name not in (available := ("custom", *sorted(self.agents))):
            raise BadInput(f"agent: {name!r} is not available on this server; available: {', '.join(available)}")

    def find(self, tenant: str, reference: str) -> tuple[BoxEntry, Box]:
        """A box that is there, by id or name. Raises Missing."""
        entry = self.book.box(tenant, reference)
        box = self._there(entry)
        if box is None:
            raise Missing(f"no box {reference!r}")
        return entry, box

    def use(self, tenant: str, reference: str) -> tuple[BoxEntry, Box]:
        """The same, for work in it. Raises Missing."""
        entry, box = self.find(tenant, reference)
        entry.last_activity_at = int(time.time())
        self.book.save_box(entry)
        return entry, box

    def use_of_anyone(self, box_id: str) -> tuple[BoxEntry, Box]:
        """A box by id, whoever owns it, for work that its owner has ordered before. Raises Missing."""
        return self.use(self.book.box_of_anyone(box_id).tenant, box_id)

    def add_usage(self, run: Run) -> None:
        """Add what a run has used to its box."""
        try:
            entry = self.book.box_of_anyone(run.box_id)
        except Missing:
            return
        self.save(
            entry,
            session_id=run.session_id or entry.session_id,
            total_prompts=entry.total_prompts + 1,
            total_input_tokens=entry.total_input_tokens + run.input_tokens,
            total_output_tokens=entry.total_output_tokens + run.output_tokens,
            total_token_cost_usd=entry.total_token_cost_usd + run.cost_usd,
        )

    def list(self, tenant: str, label: str | None = None, *, deleted: bool = False) -> list[dict[str, Any]]:
        """Box objects of a tenant, oldest first."""
        entries = [entry for entry in self.book.boxes(tenant, deleted=deleted) if deleted or self._there(entry) is not None]
        return [self.describe(entry) for entry in entries if label is None or label in entry.labels]

    def describe(self, entry: BoxEntry) -> dict[str, Any]:
        """The box object; what is not set is left out."""
        shown = entry.model_dump(exclude=_NOT_SHOWN, exclude_none=True)
        shown |= {"customer_id": entry.tenant, "status": self.status(entry), "network_policy": shown_policy(entry.network_policy)}
        if entry.agent is None:
            shown.pop("model", None)
        shown["mcp_servers"] = [server.model_dump(exclude={"headers"}) for server in entry.mcp_servers]
        if entry.expires_at is not None:
            shown["ephemeral"] = True
        return shown

    def status(self, entry: BoxEntry) -> BoxState:
        """What it does now."""
        box = self._there(entry)
        return BoxState.DELETED if box is None else box.state

    def _there(self, entry: BoxEntry) -> Box | None:
        """The driver's box, None if it is deleted; one past its time is, whether it was swept already or not."""
        if entry.deleted:
            return None
        if entry.expires_at is not None and time.time() >= entry.expires_at:
            self._forget(entry)
            self._end_later(entry.id)
            return None
        try:
            return self.driver.get(entry.id)
        except BoxNotFound:
            self._forget(entry)
            return None

    async def pause(self, entry: BoxEntry, box: Box) -> None:
        """Freeze it to disk; warm where somebody waits for what runs. Pausing a frozen box is no error. Raises Taken."""
        if entry.keep_alive:
            raise Taken(f"box {entry.id} is kept alive and does not pause")
        if box.frozen is not None:
            return
        try:
            await box.freeze(Freeze.COLD)
        except BoxBusy:
            if box.frozen is None:
                await box.freeze(Freeze.WARM)
        self.book.log(entry.id, "system", "box paused")

    async def resume(self, entry: BoxEntry, box: Box) -> None:
        """Bring it back; one that is not frozen stays as it is."""
        if box.frozen is None:
            return
        try:
            report = await box.resume()
        except BoxBusy:
            return  # somebody else was faster
        self.book.log(entry.id, "system", "box resumed" + (f"; {report.note}" if report.note else ""), "warn" if report.note else "info")

    async def delete(self, tenant: str, references: Sequence[str]) -> None:
        """Delete boxes at once; those that are gone already are no error. Raises Missing for the first that never was, after the others."""
        missing = None
        for reference in references:
            try:
                entry = self.book.box(tenant, reference)
            except Missing as error:
                missing = missing or error
                continue
            if not entry.deleted:
                self._forget(entry)
                self._end_later(entry.id)
        if missing is not None:
            raise missing

    def _end_later(self, box_id: str) -> None:
        """Its processes and files go without making anyone wait; nobody can reach it any more."""
        task = asyncio.ensure_future(self._end(box_id))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def settle(self) -> None:
        """Wait until what was deleted has ended."""
        await asyncio.gather(*self._ending)

    async def _end(self, box_id: str) -> None:
        try:
            await self.driver.get(box_id).delete()
        except BoxNotFound:
            return
        except Exception as error:  # a boundary: nobody waits for it, and the sweep tries again
            log.warning("a deleted box could not be ended", box=box_id, error=str(error))

    def set_network(self, entry: BoxEntry, box: Box, policy: NetworkPolicy) -> None:
        """Replace its policy, from now on."""
        box.set_network(policy)
        self.save(entry, network_policy=policy)

    def save(self, entry: BoxEntry, **changes: object) -> BoxEntry:
        """Keep changed settings of a box; what others changed meanwhile stays."""
        now = self.book.box_of_anyone(entry.id)
        changed = now.model_copy(update={**changes, "updated_at": int(time.time())})
        self.book.save_box(changed)
        return changed

    async def snapshot(self, entry: BoxEntry, box: Box, name: str) -> SnapshotEntry:
        """Keep its files as they are now; the box goes on."""
        snapshot_id = await box.snapshot()
        made = SnapshotEntry(
            id=snapshot_id,
            name=name,
            box_id=entry.id,
            size_bytes=await self.driver.snapshot_bytes(snapshot_id),
            created_at=int(time.time()),
            size=entry.size,
            **entry.model_dump(include={"runtime", "env", "agent", "model", "enabled_skills"}),
            custom_runner=entry.custom_runner,
        )
        self.book.add_snapshot(entry.tenant, made)
        return made

    async def fork(self, entry: BoxEntry, box: Box) -> BoxEntry:
        """A copy of a box, with its settings, its headers and, if it is frozen with its memory, its programs; without its name."""
        made = await self.driver.fork(box)
        now = int(time.time())
        update = {"id": made.id, "name": None, "expires_at": None, "created_at": now, "updated_at": now, "last_activity_at": now}
        forked = entry.model_copy(update=update)
        self.book.add_box(forked)
        if (token := self.book.token(entry.id)) is not None:
            self.book.save_token(made.id, token)
        self.book.log(made.id, "system", f"box forked from {entry.id}")
        return forked

    async def delete_snapshots(self, tenant: str, ids: Sequence[str] | Literal["all"]) -> int:
        """Forget snapshots; returns how many there were."""
        known = {entry.id for entry in self.book.snapshots(tenant)}
        doomed = known if ids == "all" else known & set(ids)
        for snapshot_id in doomed:
            self.book.remove_snapshot(tenant, snapshot_id)
            try:
                await self.driver.delete_snapshot(snapshot_id)
            except BoxNotFound:
                continue
        return len(doomed)

    def _forget(self, entry: BoxEntry) -> None:
        entry.deleted = True
        self.book.save_box(entry)
        self.book.forget_box(entry.id)

    def _check_name(self, tenant: str, name: str | None) -> None:
        if name is not None and self.book.has_name(tenant, name):
            raise Taken(f"there is a box called {name!r} already")

    def _check_runtime(self, runtime: str | None) -> None:
        if runtime is not None and runtime.removesuffix("-alpine") not in RUNTIMES:
            raise BadInput(f"there is no runtime {runtime!r}; known are {', '.join(RUNTIMES)}")


def shown_policy(policy: NetworkPolicy) -> dict[str, Any]:
    """A policy as it was given: lists that are not set are left out."""
    shown: dict[str, Any] = {"mode": policy.mode}
    for name in ("allowed_domains", "allowed_cidrs", "denied_cidrs"):
        if values := getattr(policy, name):
            shown[name] = [str(value) for value in values]
    return shown
