"""The `bubblewrap` driver: boxes from user namespaces and overlay layers; needs nothing but pip.

Freezing keeps processes in memory (warm) or files only (cold). See `sandbox.launch` for what
isolates a box, `sandbox.inbox.supervisor` for its first process.
"""

from __future__ import annotations

from sandbox.driver import Capabilities
from sandbox.gateway.settings import PORT
from sandbox.launch import BubblewrapRunning, Plan, launch
from sandbox.layered import LayeredDriver
from sandbox.layered_box import LayeredBox
from sandbox.limits import ControlGroup
from sandbox.link import Callbacks
from sandbox.store import BoxRecord


class BubblewrapDriver(LayeredDriver):
    """Boxes that share the host's kernel behind namespaces, a system call filter and no rights at all."""

    name = "bubblewrap"

    def new_box(self, record: BoxRecord) -> LayeredBox:
        return BubblewrapBox(self, record)

    def find_capabilities(self) -> Capabilities:
        controls = ControlGroup.controls_here()
        return Capabilities(
            isolation="user and all other namespaces, no capabilities, no new privileges, system call filter, no network",
            limits=controls | {"disk"},
            notices=tuple(f"no control group for {name}: {weaker}" for name, weaker in _WEAKER.items() if name not in controls),
            freezes_memory=False,
        )


class BubblewrapBox(LayeredBox):
    """One of them."""

    async def launch(self, callbacks: Callbacks) -> BubblewrapRunning:
        return await launch(self.id, self.plan(), callbacks, self.group)

    def plan(self) -> Plan:
        """How to start it."""
        return Plan(
            rootfs=self.host.rootfs,
            lower=self.lower,
            folder=self.folder,
            uid=self.record.uid,
            mounts=self.mounts,
            arguments=(f"{PORT}=gateway", *self.limits.rlimits(self.group.controls)),
        )


_WEAKER = {
    "memory": "memory is bounded per process, not for the whole box",
    "pids": "processes are bounded by RLIMIT_NPROC",
    "cpu": "processor time is not bounded",
}
