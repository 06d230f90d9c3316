"""Agent servers: an agent for each tenant that keeps what it learns, sleeps at no cost, and wakes when it is asked.

server = AgentServer("customer-42", harness="builtin", model="anthropic/claude-sonnet-4-5")
server.observe("Where is my order?", "It is on its way.", {"path": "/chat"})   # returns at once
print(server.ask("What does this customer ask for most?").text)
server.close()
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from upstash_box import BoxError

from box_review import knowledge
from box_review.agent_server import digesting
from box_review.agent_server.memory import Memory
from box_review.agent_server.observation import Body
from box_review.agent_server.observing import Counts
from box_review.agent_server.recall import Remembered, quoted
from box_review.agent_server.service import Service
from box_review.agent_server.tenant_box import listed, number
from box_review.boxes import Box
from box_review.errors import BoxReviewError, InputError, ServerUnavailable
from box_review.knowledge import Entry
from box_review.sanitize import visible

DIGEST_AT = 20
"""Observations of a tenant that are delivered before they are digested; what is left over is digested by `close`, `freeze` and `digest`."""

MOST_BATCHES = 5
"""So many batches that wait are digested too, however few observations are in them."""

_DIGEST_S = 600.0
_MOST_ROUNDS = 100
_MOST_QUESTION_BYTES = 60_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What an agent answered.

    Args:
        text: its words, from a box: data, not truth.
        used: what of its memory it was told with the question.
        knowledge: what it was told that others have learned.
        by: the harness and model that answered; `memory` where no model did.
    """

    text: str
    used: tuple[Remembered, ...]
    by: str
    knowledge: tuple[Entry, ...] = ()
    run_id: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0


class AgentServer:
    """The agent of one tenant; its box is named after it, so any process that knows the server finds the same one.

    Args:
        tenant: whom it serves; any name.
        service: what it shares with others; None to have its own, made of `options` as `Service` takes them.
    """

    def __init__(self, tenant: str, *, service: Service | None = None, **options: Any) -> None:
        self.tenant = tenant
        self._service = service or Service(lambda _, batch, observations: self.take(batch, observations), **options)
        self._own = service is None
        self.tenant_box = self._service.box_of(tenant)
        self._memory = Memory(tenant, self.tenant_box)
        self._digesting = threading.Lock()
        self._told, self._heard = set[str](), set[str]()
        self._undigested = 0
        self.digest_error = ""
        """Why the last digest that nobody waited for came to nothing; empty if it did not."""
        self.sharing_error = ""
        """Why a lesson of the last digest was not taken; empty if all were."""

    def observe(self, request: Body, response: Body = None, metadata: Mapping[str, Any] | None = None) -> bool:
        """Note a request to a service and its response. Returns at once, and never raises; False if it was dropped (see `counts`).

        Args:
            request, response: text, bytes, or what JSON can hold. The first 8 KB of each are kept, scrubbed of credentials and contacts.
            metadata: `method`, `path` and `status` are understood; the rest is kept.
        """
        return self._service.observer.observe(self.tenant, request, response, metadata)

    def ask(self, question: str, *, timeout_s: float = 600.0) -> Answer:
        """Ask the agent, which goes on with its session and is told what fits of its memory.

        A frozen box wakes; two who ask wait for each other.

        Without an agent the answer is what the memory holds, and says so.

        Raises:
            InputError: the question is empty or too long.
            ServerUnavailable: the server cannot be reached, or (MemoryBroken) the memory cannot be read.
            BoxError: the agent failed.
        """
        if not question.strip() or len(question.encode("utf-8", "replace")) > _MOST_QUESTION_BYTES:
            raise InputError(f"a question has 1 to {_MOST_QUESTION_BYTES} bytes")
        if self._memory.look() and not self._service.digests_by_agent:
            self._digest_if_it_can(timeout_s)
            self._memory.look()
        used, setup, sharing = tuple(self._memory.find(question)), self._service.setup, self._service.sharing
        others = tuple(sharing.read(question)) if sharing else ()
        self._told.update(entry.id for entry in used)
        self._heard.update(entry.id for entry in others)
        if setup.harness is None:
            held = [(entry.text, entry.provenance) for entry in used] + [(entry.text, entry.provenance) for entry in others]
            lines = (f"- {visible(text)} ({provenance})" for text, provenance in held)
            return Answer("\n".join(lines) or "Nothing that fits is remembered.", used, "memory", others)
        prompt = "\n".join(filter(None, (quoted(used), knowledge.quoted(others), question)))
        ended = self.tenant_box.ask(prompt, timeout_s=timeout_s)
        told = ended.get("metadata") or {}
        return Answer(
            str(ended.get("output", "")),
            used,
            f"{setup.harness} {setup.model}",
            others,
            run_id=str(ended.get("run_id", "")),
            input_tokens=int(told.get("input_tokens", 0)),
            output_tokens=int(told.get("output_tokens", 0)),
            cost_usd=float(told.get("cost_usd", 0.0)),
        )

    def box(self) -> Box:
        """Its box, as the official client shows it: files, schedules, public URLs. Raises ServerUnavailable, BoxError."""
        return self.tenant_box.box()

    def memory(self) -> Memory:
        """What it remembers: to be read, searched, corrected and forgotten."""
        return self._memory

    def propose(self, ident: str) -> Entry:
        """Offer something remembered to the organisation's other tenants, by its shared knowledge.

        Raises InputError if there is none such or no `knowledge` is used; RequestRejected, ServerUnavailable.
        """
        if self._service.sharing is None:
            raise InputError("nothing can be proposed without shared knowledge; make the agent server with knowledge=True")
        found = next((entry for entry in self._memory.read() if entry.id == ident), None)
        if found is None:
            raise InputError(f"there is no {visible(ident)[:20]}")
        return self._service.sharing.propose(self.tenant, found, [*self._memory.heard, *self._heard])

    def take(self, batch: str, observations: Sequence[Mapping[str, Any]]) -> None:
        """Put a batch of observations into the box, and digest when enough are there. Raises MemoryFull, ServerUnavailable, BoxError."""
        waiting = number(self.tenant_box.remember("add", batch=batch, observations=list(observations)), "waiting")
        self._undigested += len(observations)
        if (self._undigested >= DIGEST_AT or waiting >= MOST_BATCHES) and not self._digesting.locked():
            self._service.in_background(self._digest_if_it_can)

    def digest(self, *, timeout_s: float = _DIGEST_S) -> int:
        """Learn from all that was delivered; returns how much was. With a model the tenant's agent does it, apart from its session.

        An agent that fails leaves the observations where they are, for the next time. Raises ServerUnavailable, BoxError.
        """
        if not self._digesting.acquire(timeout=timeout_s):
            raise ServerUnavailable(f"the agent of {self.tenant} has been digesting for longer than {timeout_s:g} s")
        try:
            return self._digest(timeout_s)
        finally:
            self._digesting.release()

    def _digest(self, timeout_s: float) -> int:
        self._undigested, self.digest_error = 0, ""
        told, heard = sorted(self._told), sorted(self._heard)
        if told or heard:
            self.tenant_box.remember("use", ids=told, heard=heard)  # what is used is forgotten last
            self._told.difference_update(told)
            self._heard.difference_update(heard)
        work = self._digest_by_agent if self._service.digests_by_agent else self._digest_words
        learned = 0
        for _ in range(_MOST_ROUNDS):
            count, more = work(timeout_s)
            learned += count
            if not more:
                break
        return learned

    def _digest_words(self, _: float) -> tuple[int, bool]:
        """How much was learned of some batches, and whether more wait."""
        done = self.tenant_box.remember("digest")
        return number(done, "learned"), number(done, "waiting") > 0

    def _digest_by_agent(self, timeout_s: float) -> tuple[int, bool]:
        """The same, by a model."""
        setup, sharing, waiting = self._service.setup, self._service.sharing, self.tenant_box.remember("pending")
        batches, observations = listed(waiting, "batches", str), listed(waiting, "observations", dict)
        if not batches:
            return 0, False
        asked = digesting.prompt(observations, listed(waiting, "entries", dict), shared=sharing is not None)
        said = digesting.read(self.tenant_box.ask(asked, schema=digesting.SCHEMA, apart=True, timeout_s=timeout_s).get("output"))
        done = self.tenant_box.remember("apply", batches=batches, digest=said, by=f"{setup.harness} {setup.model}")
        applied = done.get("applied") is True
        if sharing and applied:
            self.sharing_error = sharing.lessons(self.tenant, said, observations, listed(waiting, "heard", str))
        return number(done, "learned"), applied

    def freeze(self, *, timeout_s: float = 30.0) -> None:
        """Deliver and digest what was observed, then freeze the box to disk. Any later use wakes it. Raises ServerUnavailable, BoxError.

        What cannot be digested now waits in the box.
        """
        self._service.observer.flush(timeout_s)
        self._digest_if_it_can(timeout_s)
        self.tenant_box.box().pause()

    def _digest_if_it_can(self, timeout_s: float = _DIGEST_S) -> None:
        try:
            self.digest(timeout_s=timeout_s)
        except (BoxError, BoxReviewError) as error:
            self.digest_error = str(error)

    @property
    def counts(self) -> Counts:
        """What became of observations: of this tenant, or of all that it shares a connection with."""
        return self._service.observer.counts

    def leave(self) -> None:
        """It is not kept at hand any longer; what was delivered is digested without it."""
        if self._undigested:
            self._service.in_background(self._digest_if_it_can)

    def settle(self, timeout_s: float) -> None:
        """Digest what was delivered, as far as there is time, and end its connections."""
        if self._undigested and timeout_s > 0:
            self._digest_if_it_can(timeout_s)
        self.tenant_box.close()

    def close(self, timeout_s: float = 10.0) -> bool:
        """Deliver what was observed, and digest it; False if some of it was lost. The box stays, and freezes by itself."""
        delivered = self._service.observer.flush(timeout_s)
        if self._undigested or self._told or self._heard:  # else a box would be made for nothing
            self._digest_if_it_can(timeout_s)
        if self._own:
            delivered = self._service.close(timeout_s) and delivered
        self.tenant_box.close()
        return delivered

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
