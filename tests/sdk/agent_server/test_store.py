"""The folder of a memory: one process at a time, a commit for each change, nothing twice and nothing lost by a crash."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from box_review.agent_server.inbox import main as program
from box_review.agent_server.inbox import store as of_store
from box_review.agent_server.recall import Remembered

RUN = "import sys, pathlib; from box_review.agent_server.inbox.main import main; sys.exit(main(sys.argv[2:], pathlib.Path(sys.argv[1])))"


class Memory:
    """A memory's program, as it is called in a box."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def start(self, command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", RUN, self.folder, command, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, command: str, **given: Any) -> dict[str, Any]:
        with self.start(command) as process:
            answer, _ = process.communicate(json.dumps(given), timeout=30)
        found = json.loads(answer)
        assert isinstance(found, dict)
        assert process.returncode == ("error" in found)
        return found

    def add(self, batch: str, *requests: str) -> dict[str, Any]:
        return self("add", batch=batch, observations=[observation(f"{batch}-{at}", text) for at, text in enumerate(requests)])

    def holding(self, kind: str = "fact") -> list[str]:
        return [entry["text"] for entry in self("read")["entries"] if entry["kind"] == kind and not entry["until"]]

    def git(self, *words: str) -> str:
        return subprocess.run(["git", *words], cwd=self.folder, capture_output=True, text=True, check=True).stdout


def observation(ident: str, request: str) -> dict[str, Any]:
    return {"id": ident, "at": "2026-01-01T00:00:00Z", "request": request, "response": "ok", "metadata": {}}


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "memory")


def test_batch_that_comes_twice_is_learned_once(memory: Memory) -> None:
    assert memory.add("b1", "My plan is gold.") == {"known": False, "waiting": 1}
    assert memory.add("b1", "My plan is gold.") == {"known": True, "waiting": 1}
    assert memory("digest") == {"learned": 1, "waiting": 0}
    assert memory.add("b1", "My plan is gold.") == {"known": True, "waiting": 0}
    assert memory("digest") == {"learned": 0, "waiting": 0}
    assert [entry["seen"] for entry in memory("read")["entries"] if entry["kind"] == "fact"] == [1]


def test_each_change_is_a_commit_and_nothing_new_is_said_to_be_that(memory: Memory) -> None:
    memory.add("b1", "My plan is gold.")
    memory("digest")
    version = memory("read")["version"]
    assert memory("read", unless=version)["same"] is True
    memory("correct", id=memory("read")["entries"][0]["id"], text="My plan is silver.")
    assert memory("read")["version"] != version
    assert [change["why"] for change in memory("log")["changes"]] == [
        "corrected by hand",
        "1 observations, without a model",
        "an empty memory",
    ]
    assert memory.git("status", "--porcelain") == ""


def test_forgotten_text_is_in_no_version_and_no_object(memory: Memory) -> None:
    memory.add("b1", "My secret nickname is Rumpelstilz.", "My plan is gold.")
    memory("digest")
    ident = next(entry["id"] for entry in memory("read")["entries"] if "Rumpel" in entry["text"])
    memory("forget", id=ident)
    assert not [entry for entry in memory("read")["entries"] if "Rumpel" in entry["text"]]  # nor in what was asked how often
    objects = memory.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()
    assert all("Rumpelstilz" not in memory.git("cat-file", "-p", name) for name in objects)
    assert memory.holding() == ["My plan is gold."]
    assert memory("forget", id=ident) == {"error": f"there is no {ident}", "kind": "missing"}


def test_file_edited_by_hand_is_kept_and_committed(memory: Memory) -> None:
    memory.add("b1", "My plan is gold.")
    memory("digest")
    path = memory.folder / "facts.md"
    path.write_text(path.read_text().replace("My plan is gold.", "The plan is platinum.") + "\nThe office is in Lyon.\n")
    assert memory.holding() == ["The plan is platinum.", "The office is in Lyon."]
    assert memory("read")["version"] == memory("read")["version"]
    memory.add("b2", "My car is red.")
    memory("digest")
    assert sorted(memory.holding()) == ["My car is red.", "The office is in Lyon.", "The plan is platinum."]
    assert "edited by hand" in memory.git("log", "--format=%s")


def test_crash_while_files_are_written_goes_back_to_the_last_commit(memory: Memory) -> None:
    memory.add("b1", "My plan is gold.")
    memory("digest")
    memory.add("b2", "My plan is silver.")
    (memory.folder / "writing").touch()
    (memory.folder / "facts.md").write_text("half a fi")
    assert memory.holding() == ["My plan is gold."]
    assert memory("digest") == {"learned": 1, "waiting": 0}
    assert memory.holding() == ["My plan is silver."]


def test_lock_that_git_left_behind_when_its_box_died_stops_nothing(memory: Memory) -> None:
    memory.add("b1", "My plan is gold.")
    memory("digest")
    memory.add("b2", "My plan is silver.")
    (memory.folder / "writing").touch()
    (memory.folder / ".git" / "index.lock").touch()
    assert memory("digest") == {"learned": 1, "waiting": 0}
    assert memory.holding() == ["My plan is silver."]


def test_killed_at_any_moment_it_learns_each_batch_once(memory: Memory) -> None:
    for number in range(12):
        memory.add(f"b{number:02d}", f"My item{number} is {number}.")
        process = memory.start("digest")
        assert process.stdin is not None
        process.stdin.write("{}")
        process.stdin.close()
        time.sleep(0.03 + 0.012 * number)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    memory("digest")
    facts = [entry for entry in memory("read")["entries"] if entry["kind"] == "fact"]
    assert sorted((entry["text"], entry["seen"]) for entry in facts) == sorted((f"My item{number} is {number}.", 1) for number in range(12))
    assert memory.git("fsck", "--strict") == ""


def test_processes_at_once_lose_nothing(memory: Memory) -> None:
    memory("read")
    running = []
    for number in range(8):
        process = memory.start("learn")
        assert process.stdin is not None
        process.stdin.write(json.dumps({"kind": "fact", "text": f"Thing {number} is so."}))
        process.stdin.close()
        running.append(process)
    for process in running:
        assert process.wait(30) == 0
        assert process.stdout is not None
        process.stdout.close()
    assert sorted(memory.holding()) == [f"Thing {number} is so." for number in range(8)]


def test_spool_without_room_says_so_and_loses_nothing(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_store, "MAX_SPOOL_BYTES", 1000)
    store = of_store.Store(memory.folder)
    with store.open(program.now()):
        assert store.add("b1", b"x" * 900)
        with pytest.raises(of_store.Full):
            store.add("b2", b"x" * 200)
        assert store.waiting() == (1, 900)


def test_what_a_model_claims_without_an_observation_is_refused(memory: Memory) -> None:
    memory.add("b1", "My plan is gold.")
    waiting = memory("pending")
    ident = waiting["observations"][0]["id"]
    digest = {
        "facts": [
            {"about": "plan", "text": "The plan is gold.", "from": [ident]},
            {"about": "plan", "text": "All findings are false.", "from": ["o-invented"]},
            {"about": "", "text": "\n## f-00000000\n", "from": [ident]},
            "no object",
        ],
        "preferences": None,
        "episode": "They told\nof their plan.",
    }
    assert memory("apply", batches=waiting["batches"], digest=digest, by="a model") == {"learned": 2, "refused": 1, "applied": True}
    assert memory("apply", batches=waiting["batches"], digest=digest, by="a model") == {"learned": 0, "refused": 0, "applied": False}
    assert memory.holding() == ["The plan is gold.", "f-00000000"]
    assert memory.holding("episode") == ["1 request: My plan is gold.. They told of their plan."]


def test_batch_that_comes_while_a_model_works_does_not_undo_its_work(memory: Memory) -> None:
    memory.add("b1", "My plan is gold.")
    waiting = memory("pending")
    memory.add("b2", "My car is red.")
    digest = {"facts": [{"about": "plan", "text": "The plan is gold.", "from": [waiting["observations"][0]["id"]]}]}
    assert memory("apply", batches=waiting["batches"], digest=digest, by="a model")["applied"] is True
    assert [observation["request"] for observation in memory("pending")["observations"]] == ["My car is red."]


def test_odd_fields_typed_by_hand_do_not_make_a_memory_unreadable(memory: Memory) -> None:
    memory.add("b1", "My plan is gold.")
    memory("digest")
    path = memory.folder / "facts.md"
    text = path.read_text()
    path.write_text(
        re.sub("since: .*", "since: ever since we moved from Berlin over to Hamburg\n- closed by: somebody from the other office", text)
    )
    [entry] = [Remembered.model_validate(entry) for entry in memory("read")["entries"] if entry["kind"] == "fact"]
    assert (entry.text, entry.since[:2], entry.closed_by) == ("My plan is gold.", "20", "")


@pytest.mark.parametrize(
    ("command", "given"),
    [
        ("add", {"batch": "b", "observations": 3}),
        ("add", {}),
        ("correct", {"id": "f-1", "text": "x"}),
        ("use", {"ids": None}),
        ("learn", {"kind": "fact"}),
    ],
)
def test_wrong_input_is_an_answer_not_a_traceback(memory: Memory, command: str, given: dict[str, Any]) -> None:
    assert "error" in memory(command, **given)
