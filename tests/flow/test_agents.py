"""Reviews by agents: the whole way from a repository to a record, with models that say what a script tells them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from box_review import ReviewRecord
from box_review.client import Client

from tests.conftest import short_folder
from tests.fakes.models import Asked, ModelServer, Step, Tool, answer
from tests.repositories import Repository
from tests.server import Server

BEFORE = "def total(prices):\n    return sum(prices)\n"
AFTER = "def total(prices):\n    return sum(prices[1:])\n"
TEST = "python3 -B -c 'import cart; assert cart.total([1, 2]) == 3'"
FALSE = "python3 -B -c 'import cart; assert cart.total([]) == 0'"


def finding(title: str, script: str | None, **more: object) -> dict[str, object]:
    reproducer = None if script is None else {"kind": "regression", "script": script, "expects": "the sum of all prices"}
    place = {"path": "cart.py", "start_line": 2, "end_line": 2}
    words = {"title": title, "why": "The slice leaves out the first price.", "scenario": "total([1, 2]) gives 2.", "suggestion": None}
    return {**place, "severity": "critical", "confidence": 0.9, "topic": "off-by-one", "reproducer": reproducer, **words, **more}


def by_role(asked: Asked) -> Step:
    """Reads a file first, then answers by what it is asked to be."""
    if not asked.tools:
        return Step(text="ok")
    if asked.turn == 0:
        return Step(text="I look.", tools=(Tool(("Bash", "exec_command", "bash", "run"), look(asked)),))
    if "You are the jury" in asked.said:
        return answer({"votes": votes(asked), "summary": "The total is wrong."})
    found = []
    if "for quality" in asked.said:
        found = [
            finding("The first price is left out", TEST),
            finding("An empty cart fails", FALSE, start_line=1, end_line=1, topic="empty"),
            finding("It is slow", None, topic="slow", severity="medium"),
            finding("A line that is not there", TEST, start_line=99, end_line=99, topic="nowhere"),
            finding("Says not how it fails", None, scenario=" "),
        ]
    return answer({"findings": found, "evidence": [], "not_covered": []})


def look(asked: Asked) -> dict[str, str]:
    return {
        "cmd" if "exec_command" in asked.tools else "command": "cat cart.py",
        **({"description": "read"} if "bash" in asked.tools else {}),
    }


def votes(asked: Asked) -> list[dict[str, object]]:
    """Against everything: the proven finding stays all the same."""
    ids = {word.strip('\\n",') for word in asked.said.replace("\\n", " \\n ").split() if word.startswith("F-")}
    return [{"id": ident, "vote": "drop", "severity": None, "into": None, "reason": "I do not like it."} for ident in sorted(ids)]


@pytest.fixture(scope="module")
def models() -> Iterator[ModelServer]:
    with ModelServer(by_role) as server:
        yield server


@pytest.fixture(scope="module")
def served(models: ModelServer) -> Iterator[Server]:
    for folder in short_folder():
        with Server(folder / "data", **models.environment, BOX_MODEL="openai/scripted") as server:
            yield server


@pytest.fixture
def wrong_sum(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "shop")
    made.commit({"cart.py": BEFORE})
    made.commit({"cart.py": AFTER})
    return made


@pytest.fixture(scope="module")
def record(served: Server, tmp_path_factory: pytest.TempPathFactory) -> ReviewRecord:
    made = Repository(tmp_path_factory.mktemp("shop") / "shop")
    made.commit({"cart.py": BEFORE})
    made.commit({"cart.py": AFTER})
    with Client(served.address) as client:
        return client.review(made.path)


def test_review_by_agents_carries_what_was_proven(record: ReviewRecord) -> None:
    print(json.dumps(json.loads(record.model_dump_json()), indent=1))
    assert record.status == "completed"
    assert {report.harness for report in record.roles} == {"builtin"}
    [proven] = record.findings
    assert (proven.title, proven.proof.state, proven.severity) == ("The first price is left out", "proven", "critical")
    assert (proven.proof.base_exit_code, proven.proof.head_exit_code) == (0, 1)
    assert proven.excerpt is not None
    assert record.conclusion == "failure"
