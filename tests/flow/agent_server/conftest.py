"""A real server for agent servers, and an agent that needs no model."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from box_review.agent_server import AgentServers
from box_review.client import Address

from tests.conftest import short_folder
from tests.fakes.models import ModelServer
from tests.fakes.script import Asked, Step, answer
from tests.server import Server

BOTH = pytest.mark.parametrize("served", ["bubblewrap", "gvisor"], indirect=True)
"""For tests of what boxes do: they keep memory and files when they are frozen, or files alone."""

# Counts what it was asked in a file of its box, keeps a session, and repeats the prompt.
COUNTING = """
n=$(cat asked 2>/dev/null || echo 0); n=$((n+1)); echo $n >asked
python3 -c 'import json,sys
print("event: done\\ndata: " + json.dumps({"output": sys.argv[2] + ": " + sys.argv[1], "session_id": "kept"}) + "\\n")' "$2" "$n"
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "agent_server" in item.path.parts:
            for ignored in ("ignore:.*unclosed.*:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"):
                item.add_marker(pytest.mark.filterwarnings(ignored))


SCRIPT: list[Callable[[Asked], Step]] = []


def said(asked: Asked) -> Step:
    """What the script of the running test says."""
    return SCRIPT[0](asked)


def digest(asked: Asked) -> Step:
    """Facts from all observations of the batch, as a model would write them; other questions get their last line back."""
    text = json.dumps(asked.body, ensure_ascii=False)
    if "You keep the memory" not in text:
        return Step(text="I know: " + ("gold" if "The plan is gold" in text else "nothing"))
    ids = sorted({part[:12] for part in text.split('\\"id\\": \\"')[1:]})
    fact = {"about": "plan", "text": "The plan is gold.", "from": ids[:1]}
    invented = {"about": "x", "text": "Invented.", "from": ["o-none"]}
    lesson = {"about": "export", "text": "An export is ready after a minute.", "from": ids[:1]}
    return answer({"facts": [fact, invented], "preferences": [], "lessons": [lesson, invented], "episode": "They said so."})


@pytest.fixture
def scripted() -> Iterator[list[Callable[[Asked], Step]]]:
    SCRIPT[:] = [digest]
    yield SCRIPT
    SCRIPT.clear()


@pytest.fixture
def tenant(request: pytest.FixtureRequest) -> str:
    """A name of its own for each test."""
    return f"tenant {request.node.name} {time.time_ns()}"


@pytest.fixture(scope="module")
def models() -> Iterator[ModelServer]:
    """The provider; `SCRIPT[0]` is what it says."""
    with ModelServer(said) as server:
        yield server


@pytest.fixture(scope="module")
def served(request: pytest.FixtureRequest, models: ModelServer) -> Iterator[Server]:
    """The server under test, on the quickest driver where a test names none."""
    for folder in short_folder():
        with Server(
            folder / "d", BOX_DRIVER=getattr(request, "param", "bubblewrap"), BOX_API_KEYS="box_one,box_two", **models.environment
        ) as server:
            yield server


@pytest.fixture
def servers(served: Server) -> Iterator[Callable[..., AgentServers]]:
    """Makes agent servers on it, and closes them."""
    made: list[AgentServers] = []

    def make(**options: Any) -> AgentServers:
        made.append(AgentServers(address=Address(served.url, "box_one"), **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def counting() -> dict[str, Any]:
    """Options of an agent that counts."""
    return {
        "harness": "custom",
        "model": "counting",
        "digest": "words",
        "custom_harness": {"command": "sh", "args": ["-c", COUNTING, "sh"]},
    }
