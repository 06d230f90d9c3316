"""Makes gVisor boxes."""

from __future__ import annotations

from pathlib import Path

from sandbox.driver import Capabilities
from sandbox.errors import SandboxError
from sandbox.gvisor.box import GvisorBox
from sandbox.gvisor.runsc import Runsc, find_runsc
from sandbox.layered import LayeredDriver
from sandbox.limits import ControlGroup
from sandbox.store import BoxRecord
from sandbox.stored import WayOut


class GvisorDriver(LayeredDriver):
    """Boxes with a kernel of their own in user space (runsc, without Docker)."""

    name = "gvisor"

    def __init__(self, data_dir: Path, way_out: WayOut | None = None) -> None:
        super().__init__(data_dir, way_out)
        self._runsc: Runsc | None = None

    def prepare(self) -> None:
        self._runsc = find_runsc()
        super().prepare()

    @property
    def runsc(self) -> Runsc:
        """What isolates."""
        if self._runsc is None:
            raise SandboxError("the driver is not open")
        return self._runsc

    def new_box(self, record: BoxRecord) -> GvisorBox:
        return GvisorBox(self, record)

    def find_capabilities(self) -> Capabilities:
        controls = ControlGroup.controls_here()
        return Capabilities(
            isolation=f"gVisor ({self.runsc.version}): system calls end in a kernel of the box's own; namespaces, no network",
            limits=controls | {"disk"},
            notices=tuple(f"no control group for {name}: {weaker}" for name, weaker in _WEAKER.items() if name not in controls),
            freezes_memory=True,
            own_kernel=True,
        )


_WEAKER = {
    "memory": "memory is bounded per process, not for the whole box",
    "cpu": "processor time is not bounded",
}
