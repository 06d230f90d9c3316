"""`box-review agent`: what agents remember, read and put right from a shell."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from box_review.agent_server import AgentServers

from tests.flow.agent_server import conftest
from tests.server import Ended, Server, box_review

Command = Callable[..., Ended]


@pytest.fixture
def command(served: Server) -> Command:
    def run(*words: str) -> Ended:
        return box_review("agent", *words, BOX_REVIEW_URL=served.url, BOX_REVIEW_API_KEY="box_one")

    return run


def test_memory_is_shown_corrected_and_forgotten(command: Command, servers: Callable[..., AgentServers]) -> None:
    servers(**conftest.counting()).of("shell shop").memory().learn("The plan is gold.")
    [entry] = json.loads(command("memory", "shell shop", "--json").out)
    assert entry["text"] == "The plan is gold."
    assert "The plan is silver." in command("correct", "shell shop", entry["id"], "The plan is silver.").out
    assert "gold" not in command("memory", "shell shop").out
    assert "gold" in command("memory", "shell shop", "--all").out
    assert "silver" in command("memory", "shell shop", "which plan?").out
    assert "corrected by hand" in command("history", "shell shop").out
    assert "in French" in command("learn", "shell shop", "Answer in French.", "--preference").out
    said = command("ask", "shell shop", "which plan?")
    assert (said.code, "The plan is silver." in said.out, "by custom counting" in said.err) == (0, True, True)
    ids = [entry["id"] for entry in json.loads(command("memory", "shell shop", "--all", "--json").out) if entry["kind"] == "fact"]
    assert command("forget", "shell shop", ids[-1]).code == 0
    assert "silver" not in command("memory", "shell shop", "--all").out
    assert "agent" not in command("ls").out.partition("shell-shop")[0]
    assert "shell-shop" in command("ls").out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("memory", "nobody"), 2, "there is no agent server of 'nobody'"),
        (("forget", "nobody", "f-1"), 2, "there is no agent server"),
        (("memory", "\x1b[31m"), 2, "printable characters"),
        (("ask", "new one", " "), 2, "a question has"),
        (("ask", "new one", "x", "--harness", "builtin"), 2, "needs a model"),
        (("memory",), 2, "Missing argument"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_mistakes_are_told_in_one_sentence(command: Command, words: tuple[str, ...], code: int, said: str) -> None:
    ended = command(*words)
    assert (ended.code, said in ended.err, "Traceback" in ended.err) == (code, True, False), ended.err
