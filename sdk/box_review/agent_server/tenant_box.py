"""The box of a tenant: found or made, and the program in it that keeps its memory."""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.util
import io
import json
import marshal
import re
import secrets
import threading
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, TypeVar

import httpx
from upstash_box import BoxError

from box_review.boxes import Box, Boxes
from box_review.errors import InputError, ServerUnavailable
from box_review.sanitize import visible

LABEL = "agent-server"
_T = TypeVar("_T")
_PLAIN = re.compile(r"(?!.*--)[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?")  # `--` stands in names by digest alone
_MISSING = 97
_INLINE_BYTES = 60_000
_MOST_ANSWER = 8 << 20
_BUSY = 409
_AWAY = 503
_STARTING_S = 15.0
_REMEMBER_S = 45.0
_BUSY_S = 0.25


class MemoryBroken(ServerUnavailable):
    """The memory in a tenant's box cannot be read or written; the message says what the program there said."""


class MemoryFull(MemoryBroken):
    """Too many observations wait to be digested."""


@dataclass(frozen=True)
class Setup:
    """What a tenant's box is made with, once.

    Args:
        harness: what drives the model, or `custom`; None for a memory without an agent.
        model: as the harness names it.
        custom_harness: the program of `custom`: `{"command": …, "args": […]}`.
        size: small, medium or large.
        network: where its programs may reach; models are asked through the gateway, whatever this says.
        config: more of what the official client's `Box.create` takes.
    """

    harness: str | None = None
    model: str = ""
    custom_harness: Mapping[str, Any] | None = None
    size: str = "small"
    network: Mapping[str, Any] = field(default_factory=lambda: {"mode": "deny-all"})
    config: Mapping[str, Any] = field(default_factory=dict)

    def of(self, name: str) -> dict[str, Any]:
        """For `Boxes.create`."""
        agent: dict[str, Any] = {"harness": self.harness, "model": self.model} if self.harness else {}
        if self.custom_harness:
            agent["custom_harness"] = dict(self.custom_harness)
        with_agent = {"agent": agent} if agent else {}
        return {"name": name, "size": self.size, "labels": [LABEL], "network_policy": dict(self.network), **with_agent, **self.config}


def box_name(tenant: str) -> str:
    """The name of a tenant's box; tenants with names that are none for a box get one that is, by digest. Raises InputError."""
    if not isinstance(tenant, str) or not tenant or len(tenant) > 500 or not tenant.isprintable():
        raise InputError(f"a tenant is named by up to 500 printable characters, not {str(tenant)[:40]!r}")
    if _PLAIN.fullmatch(tenant):
        return f"agent-{tenant}"
    slug = re.sub(r"[^a-z0-9]+", "-", tenant.casefold()).strip("-")[:24]
    return f"agent-{slug or 'x'}--{hashlib.sha256(tenant.encode('utf-8', 'replace')).hexdigest()[:16]}"


class TenantBox:
    """One tenant's box, which is made when it is needed first. May be used by several threads and processes."""

    def __init__(self, boxes: Boxes, tenant: str, setup: Setup) -> None:
        self.name = box_name(tenant)
        self._boxes, self._setup = boxes, setup
        self._box: Box | None = None
        self._finding = threading.Lock()

    def box(self) -> Box:
        """Its box, found or made; waits for a server that is just starting. Raises InputError, ServerUnavailable, BoxError."""
        with self._finding:
            ends = time.monotonic() + _STARTING_S
            while self._box is None:
                try:
                    self._box = self._find() or self._make()
                except httpx.HTTPError as error:  # the official client lets these pass where it makes boxes
                    raise ServerUnavailable(f"the server that holds the box of {self.name} cannot be reached: {error}") from error
                except BoxError as error:
                    if error.status_code != _AWAY or time.monotonic() > ends:
                        raise
                    time.sleep(_BUSY_S)
            return self._box

    def close(self) -> None:
        """End its connections; a later use opens new ones."""
        with self._finding:
            if self._box is not None:
                self._box.close()
                self._box = None

    def _find(self) -> Box | None:
        try:
            found = self._boxes.get(self.name)
        except BoxError as error:
            if error.status_code != 404:
                raise
            return None
        self._check(found)
        return found

    def _check(self, found: Box) -> None:
        """A box keeps the harness that it was made with, since its session is that one's; its model may change. Raises InputError."""
        has, wanted = found.model_config, self._setup
        if wanted.harness and has["harness"] != wanted.harness:
            made = f"with {has['harness']}" if has["harness"] else "without an agent"
            found.close()
            raise InputError(f"the box {self.name} was made {made}; ask it so, or delete it to begin anew with {wanted.harness}")
        if wanted.harness and has["model"] != wanted.model:
            found.configure_model(wanted.model)

    def _make(self) -> Box:
        try:
            return self._boxes.create(**self._setup.of(self.name))
        except BoxError as error:
            if error.status_code == _BUSY and (found := self._find()):  # somebody else was quicker
                return found
            raise

    def remember(self, command: str, **given: Any) -> dict[str, Any]:
        """Let the program that keeps the memory do something; see `inbox/main.py`. Raises MemoryBroken, BoxError."""
        try:
            return self._remember(self.box(), command, given)
        except BoxError as error:
            if error.status_code != 404:
                raise
            with self._finding:  # it was deleted meanwhile
                self._box = None
            return self._remember(self.box(), command, given)

    def _remember(self, box: Box, command: str, given: Mapping[str, Any]) -> dict[str, Any]:
        script = _script(command, self._handed_over(box, json.dumps(given, ensure_ascii=False)))
        ended = _executed(box, script)
        if ended.get("exit_code") == _MISSING:
            box.files.write(path=_path(), content=base64.b64encode(_program()).decode(), encoding="base64")
            ended = _executed(box, script)
        return _answer(command, str(ended.get("output") or ""), str(ended.get("error") or ""))

    def _handed_over(self, box: Box, body: str) -> str:
        """How the shell finds a body: in the command itself, or in a file where that would be too long."""
        if len(body.encode("utf-8", "replace")) < _INLINE_BYTES:
            return f"- <<'{_END}'\n{body}\n{_END}"
        path = f"{_FOLDER}/{secrets.token_hex(8)}.json"
        box.files.write(path=path, content=base64.b64encode(body.encode("utf-8", "replace")).decode(), encoding="base64")
        return f"- <{path}; code=$?; rm {path}; exit $code"

    def ask(self, prompt: str, *, schema: Mapping[str, Any] | None = None, apart: bool = False, timeout_s: float) -> dict[str, Any]:
        """Let the agent work, in its session or `apart` from it: {run_id, output, metadata}. Waits while it works for somebody else.

        Raises BoxError.
        """
        box, ends = self.box(), time.monotonic() + timeout_s
        body = {"prompt": prompt, "session": "new" if apart else "continue", **({"json_schema": dict(schema)} if schema else {})}
        while True:
            try:
                return dict(box._request("POST", f"/v2/box/{box.id}/run", body=body, timeout=max(1, ends - time.monotonic()) * 1000))
            except BoxError as error:
                if error.status_code != _BUSY or time.monotonic() + _BUSY_S > ends:
                    raise
                time.sleep(_BUSY_S)


_FOLDER = ".box-review"
_END = "end-of-what-is-given"


def _executed(box: Box, script: str) -> dict[str, Any]:
    """What a command came to, within a deadline: a box that hangs must not hold up who asks. Raises BoxError."""
    return dict(box._request("POST", f"/v2/box/{box.id}/exec", body={"command": ["sh", "-c", script]}, timeout=_REMEMBER_S * 1000))


def _script(command: str, given: str) -> str:
    home = f"cd /workspace/home && [ -f {_path()} ] || exit {_MISSING}"
    return f"{home}\nPYTHONDONTWRITEBYTECODE=1 python3 -IS {_path()} {command} {given}"


def _answer(command: str, said: str, errors: str) -> dict[str, Any]:
    """What the program answered. It runs in a box: its words are looked at before they are believed."""
    try:
        found = json.loads(said) if len(said) <= _MOST_ANSWER else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise MemoryBroken(f"the memory did not answer to {command!r}: {visible((errors or said).strip()[-300:]) or 'it said nothing'}")
    if "error" in found:
        kind = MemoryFull if found.get("kind") == "full" else MemoryBroken
        if found.get("kind") == "missing":
            raise InputError(visible(str(found["error"])[:300]))
        raise kind(f"the memory could not {command}: {visible(str(found['error'])[:300])}")
    return found


def number(answer: Mapping[str, Any], name: str) -> int:
    """A count in an answer. Raises MemoryBroken."""
    value = answer.get(name)
    if not isinstance(value, int) or not 0 <= value < 1 << 31:
        raise MemoryBroken(f"the memory did not say how many are {name}")
    return value


def listed(answer: Mapping[str, Any], name: str, kind: type[_T]) -> list[_T]:
    """A list in an answer, of one kind of things. Raises MemoryBroken."""
    values = answer.get(name)
    if not isinstance(values, list) or not all(isinstance(value, kind) for value in values):
        raise MemoryBroken(f"the memory gave no list of {name}")
    return values


@functools.cache
def _program() -> bytes:
    """The package `inbox` as one file that Python runs; the same bytes for the same sources.

    It is compiled too, for boxes whose Python is of this one's version, since compiling takes longer than running. Others pass that by.
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        _add(file, "__main__.py", b"import sys\nfrom inbox.main import main\nsys.exit(main(sys.argv[1:]))\n")
        for source in sorted(resources.files("box_review.agent_server.inbox").iterdir(), key=lambda source: source.name):
            if source.name.endswith(".py"):
                _add(file, f"inbox/{source.name}", source.read_bytes())
    return packed.getvalue()


def _add(file: zipfile.ZipFile, name: str, source: bytes) -> None:
    file.writestr(zipfile.ZipInfo(name), source)
    code = marshal.dumps(compile(source, name, "exec", optimize=0, dont_inherit=True))
    unchecked = (1).to_bytes(4, "little") + bytes(8)  # PEP 552: what is beside it is its source
    file.writestr(zipfile.ZipInfo(f"{name}c"), importlib.util.MAGIC_NUMBER + unchecked + code)


@functools.cache
def _path() -> str:
    """Where the program lies in a box; another version lies elsewhere."""
    return f"{_FOLDER}/memory-{hashlib.sha256(_program()).hexdigest()[:12]}.pyz"
