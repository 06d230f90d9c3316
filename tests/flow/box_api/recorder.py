"""A server outside the boxes: it keeps what it is asked, and answers as a test wants it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.fakes.loopback import Handler, Loopback


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


class Recorder(Loopback):
    """Listens on loopback while the context lasts. `answers` are tried by prefix of the path; without one it says 200 and `{}`."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: dict[str, Answer] = {}
        recorder = self

        class Recording(Handler):
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

            do_GET = do_POST

        super().__init__(Recording)

    def on(self, path: str) -> list[Asked]:
        """What was asked of paths that begin so."""
        return [asked for asked in self.asked if asked.path.startswith(path)]


def _fine(_: Asked) -> tuple[int, Any]:
    return 200, {}
