"""Agent servers: an agent for each tenant that keeps what it learns, sleeps at no cost, and wakes when it is asked.

server = AgentServer("customer-42", harness="builtin", model="anthropic/claude-sonnet-4-5")
server.observe("Where is my order?", "It is on its way.", {"path": "/chat"})   # returns at once
print(server.ask("What does this customer ask for most?").text)
server.close()
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self

from pydantic import TypeAdapter, ValidationError
from upstash_box import BoxError

from box_review.agent_server import digesting
from box_review.agent_server.memory import MOST_TOKENS, Recall, Remembered, quoted
from box_review.agent_server.observation import Body
from box_review.agent_server.observing import Counts, Observer
from box_review.agent_server.outbox import Refused
from box_review.agent_server.tenant_box import MemoryBroken, MemoryFull, Setup, TenantBox
from box_review.boxes import Boxes
from box_review.client import Address
from box_review.errors import InputError, ServerUnavailable
from box_review.sanitize import visible

DIGEST_AT = 20
"""Observations of a tenant that are delivered before they are digested; what is left over is digested by `close`, `freeze` and `digest`."""

_ENTRIES = TypeAdapter(list[Remembered])
_DIGEST_S = 600.0
_DIGESTS_AT_ONCE = 2
_MOST_QUESTION_BYTES = 60_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What an agent answered.

    Args:
        text: its words, from a box: data, not truth.
        used: what of its memory it was told with the question.
        by: the harness and model that answered; `memory` where no model did.
    """

    text: str
    used: tuple[Remembered, ...]
    by: str
    run_id: str = ""
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0


class AgentServers:
    """The agent servers of one service: any number of tenants, one connection, one thread that carries observations.

    Args:
        address: of the server that holds the boxes; None for that of the environment.
        harness, model, more: see `Setup`. Without a harness there is a memory and no agent; it learns what was said in so many words.
        digest: who makes a memory of what was observed: the tenant's `agent`, or nobody but the `words` of the tenant, without a model.
            By default the agent where there is one.
        sample, redact: see `Observer`.
    """

    def __init__(
        self,
        *,
        harness: str | None = None,
        model: str = "",
        address: Address | None = None,
        digest: Literal["agent", "words"] | None = None,
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
        self.observer = Observer(self._deliver, sample=sample, redact=redact)
        self._digests = ThreadPoolExecutor(_DIGESTS_AT_ONCE, "box-review-digest")
        self._servers: dict[str, AgentServer] = {}
        self._making = threading.Lock()

    def of(self, tenant: str) -> AgentServer:
        """A tenant's. Nothing is made before it is needed. Raises InputError."""
        with self._making:
            if tenant not in self._servers:
                self._servers[tenant] = AgentServer(tenant, among=self)
            return self._servers[tenant]

    def observe(self, tenant: str, request: Body, response: Body = None, metadata: Mapping[str, Any] | None = None) -> bool:
        """See `AgentServer.observe`."""
        return self.observer.observe(tenant, request, response, metadata)

    def box_of(self, tenant: str) -> TenantBox:
        """A tenant's box. Raises InputError."""
        return TenantBox(self._boxes, tenant, self.setup)

    def _deliver(self, tenant: str, batch: str, observations: Sequence[Mapping[str, Any]]) -> None:
        try:
            self.of(tenant).take(batch, observations)
        except (InputError, MemoryFull) as error:
            raise Refused(str(error)) from error

    def in_background(self, work: Callable[[], None]) -> None:
        """Do something that nobody waits for, and that may take as long as a model does."""
        with contextlib.suppress(RuntimeError):  # it was closed meanwhile; what waits in a box is digested another time
            self._digests.submit(work)

    def close(self, timeout_s: float = 10.0) -> bool:
        """Deliver what was observed and end; False if some of it was lost. Boxes freeze by themselves."""
        delivered = self.observer.close(timeout_s)
        self._digests.shutdown(wait=True, cancel_futures=True)
        return delivered

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class AgentServer:
    """The agent of one tenant; its box is named after it, so any process that knows the server finds the same one.

    Args:
        tenant: whom it serves; any name.
        among: those that it shares a connection with; None to have its own, made of `options` as `AgentServers` takes them.
    """

    def __init__(self, tenant: str, *, among: AgentServers | None = None, **options: Any) -> None:
        self.tenant = tenant
        self._among = among or AgentServers(**options)
        self._own = among is None
        self._box = self._among.box_of(tenant)
        self._recall = Recall([])
        self._version, self._entries = "", list[Remembered]()
        self._looking, self._digesting = threading.Lock(), threading.Lock()
        self._undigested = 0
        self.digest_error = ""
        """Why the last digest that nobody waited for came to nothing; empty if it did not."""
        if self._own:
            self._among._servers[tenant] = self

    def observe(self, request: Body, response: Body = None, metadata: Mapping[str, Any] | None = None) -> bool:
        """Note a request to a service and its response. Returns at once, and never raises; False if it was dropped (see `counts`).

        Args:
            request, response: text, bytes, or what JSON can hold. The first 8 KB of each are kept, scrubbed of credentials and contacts.
            metadata: `method`, `path` and `status` are understood; the rest is kept.
        """
        return self._among.observer.observe(self.tenant, request, response, metadata)

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
        used = tuple(self.recall(question))
        setup = self._among.setup
        if setup.harness is None:
            lines = "\n".join(f"- {visible(entry.text)} ({entry.provenance})" for entry in used)
            return Answer(lines or "Nothing that fits is remembered.", used, "memory")
        prompt = "\n".join(filter(None, (quoted(used), question)))
        ended = self._box.ask(prompt, timeout_s=timeout_s)
        told = ended.get("metadata") or {}
        return Answer(
            str(ended.get("output", "")),
            used,
            f"{setup.harness} {setup.model}",
            run_id=str(ended.get("run_id", "")),
            input_tokens=int(told.get("input_tokens", 0)),
            output_tokens=int(told.get("output_tokens", 0)),
            cost_usd=float(told.get("cost_usd", 0.0)),
        )

    def recall(self, question: str, max_tokens: int = MOST_TOKENS) -> list[Remembered]:
        """What of the memory fits a question, best first. Raises ServerUnavailable, BoxError."""
        with self._looking:
            self._look()
            return self._recall.find(question, max_tokens)

    def memory(self) -> list[Remembered]:
        """All that is remembered, oldest first; what no longer holds has an `until`. Raises ServerUnavailable, BoxError."""
        with self._looking:
            self._look()
            return list(self._entries)

    def _look(self) -> None:
        found = self._box.remember("read", unless=self._version)
        if found.get("same") is True:
            return
        try:
            self._entries = _ENTRIES.validate_python(found["entries"])
        except (KeyError, ValidationError) as error:
            raise MemoryBroken(f"the memory of {self.tenant} is not in its form: {error}") from error
        self._recall.close()
        self._recall, self._version = Recall(self._entries), str(found.get("version", ""))

    def learn(self, text: str, *, kind: Literal["fact", "preference"] = "fact", about: str = "", source: str = "by hand") -> Remembered:
        """Remember something that somebody says. Raises InputError, ServerUnavailable, BoxError."""
        if not visible(text).strip():
            raise InputError("there is nothing to remember in an empty text")
        return Remembered.model_validate(self._box.remember("learn", kind=kind, text=text[:2000], about=about, source=source))

    def correct(self, ident: str, text: str) -> Remembered:
        """Say what is so instead; the entry is closed and stays readable. Raises InputError if there is none such."""
        if not visible(text).strip():
            raise InputError(f"{ident} cannot be corrected to an empty text; `forget` drops it")
        return Remembered.model_validate(self._box.remember("correct", id=ident, text=text[:2000]))

    def forget(self, ident: str) -> Remembered:
        """Drop an entry and what it had replaced, from all versions of the memory. Raises InputError if there is none such."""
        return Remembered.model_validate(self._box.remember("forget", id=ident))

    def history(self, limit: int = 20) -> list[dict[str, str]]:
        """The latest changes of the memory, latest first: {commit, at, why}."""
        return [{str(name): str(value) for name, value in change.items()} for change in self._box.remember("log", limit=limit)["changes"]]

    def take(self, batch: str, observations: Sequence[Mapping[str, Any]]) -> None:
        """Put a batch of observations into the box, and digest when enough are there. Raises MemoryFull, ServerUnavailable, BoxError."""
        self._box.remember("add", batch=batch, observations=list(observations))
        self._undigested += len(observations)
        if self._undigested >= DIGEST_AT and not self._digesting.locked():
            self._among.in_background(self._digest_if_it_can)

    def digest(self, *, timeout_s: float = _DIGEST_S) -> int:
        """Learn from all that was delivered; returns how much was. With a model the tenant's agent does it, apart from its session.

        An agent that fails leaves the observations where they are, for the next time. Raises ServerUnavailable, BoxError.
        """
        with self._digesting:
            self._undigested, self.digest_error = 0, ""
            if not self._among.digests_by_agent:
                return int(self._box.remember("digest")["learned"])
            learned = 0
            while (waiting := self._box.remember("pending"))["batches"]:
                said = self._box.ask(
                    digesting.prompt(waiting["observations"], waiting["entries"]), schema=digesting.SCHEMA, apart=True, timeout_s=timeout_s
                )
                by = f"{self._among.setup.harness} {self._among.setup.model}"
                done = self._box.remember("apply", batches=waiting["batches"], digest=digesting.read(said.get("output")), by=by)
                learned += int(done["learned"])
            return learned

    def freeze(self, *, timeout_s: float = 30.0) -> None:
        """Deliver and digest what was observed, then freeze the box to disk. Any later use wakes it. Raises BoxError.

        What cannot be digested now waits in the box.
        """
        self._among.observer.flush(timeout_s)
        self._digest_if_it_can(timeout_s)
        self._box.box().pause()

    def _digest_if_it_can(self, timeout_s: float = _DIGEST_S) -> None:
        try:
            self.digest(timeout_s=timeout_s)
        except (BoxError, ServerUnavailable) as error:
            self.digest_error = str(error)

    @property
    def counts(self) -> Counts:
        """What became of observations: of this tenant, or of all that it shares a connection with."""
        return self._among.observer.counts

    def close(self, timeout_s: float = 10.0) -> bool:
        """Deliver what was observed, and digest it; False if some of it was lost. The box stays, and freezes by itself."""
        delivered = self._among.observer.flush(timeout_s)
        self._digest_if_it_can(timeout_s)
        return self._among.close(timeout_s) and delivered if self._own else delivered

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
