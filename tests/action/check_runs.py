"""The one page of GitHub that a waiting workflow reads: the check runs of a commit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.fakes.loopback import Handler, Loopback

Answer = tuple[int, Any]
TOKEN = "ghs_of-the-workflow"
HEAD = "a" * 40
REVIEW_ID = "rv-0123456789abcdef"


def check_run(status: str = "completed", conclusion: str | None = None, title: str = "2 findings", **more: Any) -> dict[str, Any]:
    """One check run as GitHub shows it, by the App unless told otherwise."""
    shown = {
        "id": 7, "name": "box-review", "status": status, "conclusion": conclusion, "external_id": f"1:7:{HEAD}:1",
        "html_url": "https://github.com/acme/shop/runs/7", "details_url": f"https://box-review.example.org/reviews/{REVIEW_ID}",
        "app": {"slug": "acme-review"},
        "output": {"title": title, "summary": "One of them is **high**.", "annotations_count": 1, "text": None},
    }  # fmt: skip
    return shown | more


def listed(*runs: dict[str, Any]) -> Answer:
    """The page with these."""
    return 200, {"total_count": len(runs), "check_runs": list(runs)}


@dataclass
class CheckRuns:
    """What was asked for, and where."""

    url: str = ""
    asked: list[str] = field(default_factory=list)


@contextmanager
def check_runs(*answers: Answer) -> Iterator[CheckRuns]:
    """Answers with each once, in order, and with the last for ever; whoever has another token is refused."""
    left, seen = list(answers), CheckRuns()

    class Page(Handler):
        def do_GET(self) -> None:
            """One answer."""
            seen.asked.append(self.path)
            status, body = left.pop(0) if len(left) > 1 else left[0]
            if self.headers["Authorization"] != f"token {TOKEN}":
                status, body = 401, {"message": "Bad credentials"}
            asked_for = parse_qs(urlsplit(self.path).query).get("check_name", [])
            if status == 200:
                body = {**body, "check_runs": [run for run in body["check_runs"] if run["name"] in asked_for]}
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    with Loopback(Page) as page:
        seen.url = page.url
        yield seen
