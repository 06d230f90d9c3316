"""What the agent servers of one service have in common: one server of boxes, one thread that carries observations, a few that digest."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Literal

from box_review.agent_server.observing import Observer
from box_review.agent_server.outbox import Deliver
from box_review.agent_server.sharing import Sharing
from box_review.agent_server.tenant_box import Setup, TenantBox
from box_review.boxes import Boxes
from box_review.client import Address
from box_review.errors import InputError

DIGESTS_AT_ONCE = 2


class Service:
    """What `AgentServers` and a lone `AgentServer` stand on.

    Args:
        deliver: brings a batch of observations to a tenant's box.
        address: of the server that holds the boxes; None for that of the environment.
        harness, model, more: see `Setup`. Without a harness there is a memory and no agent; it learns what was said in so many words.
        digest: who makes a memory of what was observed: the tenant's `agent`, or nobody but the `words` of the tenant, without a model.
            By default the agent where there is one.
        knowledge: its agents read what the organisation's others have learned, and propose what they learn (see `box_review.knowledge`).
        sample, redact: see `Observer`.

    Raises:
        InputError: an option is not known, or does not fit the others.
    """

    def __init__(  # noqa: PLR0913 - options, by name
        self,
        deliver: Deliver,
        *,
        harness: str | None = None,
        model: str = "",
        address: Address | None = None,
        digest: Literal["agent", "words"] | None = None,
        knowledge: bool = False,
        sample: float = 1.0,
        redact: Callable[[str], str] | None = None,
        **more: Any,
    ) -> None:
        if harness and not model:
            raise InputError(f"harness {harness} needs a model; name one, or leave both out for a memory without an agent")
        if digest not in {"agent", "words", None} or (digest == "agent" and not harness):
            raise InputError(f"digest is 'agent', which needs a harness, or 'words', not {digest!r}")
        if not 0.0 <= sample <= 1.0:
            raise InputError(f"sample is a share from 0 to 1, not {sample}")
        try:
            self.setup = Setup(harness, model, **more)
        except TypeError as error:
            raise InputError(f"an agent server does not know {', '.join(sorted(more))}: {error}") from error
        self.digests_by_agent = bool(harness) and digest != "words"
        self._boxes = Boxes(address)
        self.sharing = Sharing(address) if knowledge else None
        self.observer = Observer(deliver, sample=sample, redact=redact)
        self._background = threading.Semaphore(DIGESTS_AT_ONCE)

    def box_of(self, tenant: str) -> TenantBox:
        """A tenant's box. Raises InputError."""
        return TenantBox(self._boxes, tenant, self.setup)

    def in_background(self, work: Callable[[], None]) -> None:
        """Do something that nobody waits for, and that may take as long as a model does; not now if enough is being done already."""

        def do() -> None:
            try:
                work()
            finally:
                self._background.release()

        if self._background.acquire(blocking=False):
            threading.Thread(target=do, name="box-review-digest", daemon=True).start()

    def close(self, timeout_s: float) -> bool:
        """Deliver what was observed and end; False if some of it was lost."""
        delivered = self.observer.close(timeout_s)
        if self.sharing:
            self.sharing.close()
        return delivered
