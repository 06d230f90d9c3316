"""A server outside the boxes: it keeps what it is asked, and answers as a test wants it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Its body."""
        return json.loads(self.body)


Answer = Callable[[Asked], tuple[int, Any]]


class Recorder:
    """Listens on loopback while the context lasts. `answers` are tried by prefix of the path; without one it says 200 and `{}`."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: dict[str, Answer] = {}
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("content-length", 0))
                asked = Asked(
                    self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, self.rfile.read(length)
                )
                recorder.asked.append(asked)
                status, said = next((answer for prefix, answer in recorder.answers.items() if self.path.startswith(prefix)), _fine)(asked)
                body = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST  # noqa: N815 - the library's name

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def url(self, path: str) -> str:
        """Where a path is."""
        return f"http://127.0.0.1:{self.port}{path}"

    def on(self, path: str) -> list[Asked]:
        """What was asked of paths that begin so."""
        return [asked for asked in self.asked if asked.path.startswith(path)]


def _fine(_: Asked) -> tuple[int, Any]:
    return 200, {}
