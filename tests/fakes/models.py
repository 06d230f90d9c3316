"""A model server that says what a script tells it, in the three wire formats that agents speak.

It keeps no state between requests: how far a conversation has come is counted from the tool results in it. So clients may retry,
run side by side and come back after a freeze, and get the same answers.
"""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Mapping

from tests.fakes.loopback import Handler, Loopback
from tests.fakes.script import Asked, Script, Step, Tool
from tests.fakes.wires import WIRES, Wire

KEY = "sk-the-real-key-of-the-provider"
_STALL_S = 600.0


class ModelServer(Loopback):
    """Serves a script at `url`; a context manager. `asked` are all requests, `counted` the tokens that it told of, each once."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[Asked] = []
        self.fetched: list[str] = []
        self.counted = [0, 0, 0]
        server = self

        class Fake(_Handler):
            fake = server

        super().__init__(Fake)
        self.stopping = threading.Event()

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        super().__exit__()

    @property
    def environment(self) -> dict[str, str]:
        """What leads a box-review server here."""
        keys = {"ANTHROPIC_API_KEY": KEY, "OPENAI_API_KEY": KEY}
        return {"ANTHROPIC_BASE_URL": self.url, "OPENAI_BASE_URL": f"{self.url}/v1", **keys}


class _Handler(Handler):
    protocol_version = "HTTP/1.1"
    fake: ModelServer

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        self.fetched_at(self.path)
        self._send(200, json.dumps({"data": [{"id": "scripted", "object": "model"}], "object": "list"}).encode())

    def fetched_at(self, path: str) -> None:
        """A path that somebody got who has nothing to get here."""
        if not path.endswith("/models"):
            self.fake.fetched.append(path)

    def do_POST(self) -> None:
        raw = self._body()
        body = json.loads(raw)
        path = self.path.partition("?")[0]
        wire = WIRES.get(path)
        if wire is None:
            self._send(404, b'{"error": {"message": "no such path"}}')
            return
        asked = Asked(path, dict(self.headers), body, wire.turn(body), wire.tools(body))
        self.fake.asked.append(asked)
        step = self.fake.script(asked)
        time.sleep(step.delay_s)
        if step.status != 200:
            self._send(step.status, json.dumps(wire.error(step)).encode(), step.headers)
        elif step.raw is not None:
            self._send(200, step.raw, step.headers)
        elif body.get("stream"):
            self._stream(wire, asked, step)
        elif step.stall or step.cut:
            self._begin_and_break(step)
        else:
            self._count(step)
            self._send(200, json.dumps(wire.whole(asked, _offered(asked, step))).encode())

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            raw = b""
            while size := int(self.rfile.readline(), 16):
                raw += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return gzip.decompress(raw) if self.headers.get("Content-Encoding") == "gzip" else raw

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] = {}) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _begin_and_break(self, step: Step) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b'{"id":')
        self.wfile.flush()
        if step.stall:
            self.fake.stopping.wait(_STALL_S)
        self.connection.shutdown(socket.SHUT_RDWR)

    def _stream(self, wire: Wire, asked: Asked, step: Step) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        pieces = list(wire.stream(asked, _offered(asked, step)))
        for number, piece in enumerate(pieces):
            if number == len(pieces) // 2 and step.stall:
                self.fake.stopping.wait(_STALL_S)
                return
            if number == len(pieces) // 2 and step.cut:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        self._count(step)
        self.wfile.write(b"0\r\n\r\n")

    def _count(self, step: Step) -> None:
        for place, number in enumerate(step.usage):
            self.fake.counted[place] += number


def _offered(asked: Asked, step: Step) -> Step:
    """The step with tools by the names that this client has for them; text stands in for what it does not offer."""
    chosen = []
    for tool in step.tools:
        names = (tool.name,) if isinstance(tool.name, str) else tool.name
        name = next((name for name in names if name in asked.tools), None)
        if name is not None:
            chosen.append(Tool(name, tool.arguments))
    text = "" if chosen and step.tools and step.text.startswith("{") else step.text
    return Step(text=text, tools=chosen, usage=step.usage)
