"""`box-review box` as people use it."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.flow.box_api.conftest import until
from tests.server import Ended, Server, box_review

Command = Callable[..., Ended]


@pytest.fixture
def command(served: Server) -> Command:
    """`box-review box …` against the server."""

    def run(*words: str | Path) -> Ended:
        return box_review("box", *words, UPSTASH_BOX_BASE_URL=served.url, UPSTASH_BOX_API_KEY="box_one")

    return run


@pytest.fixture
def name(command: Command) -> Iterator[str]:
    """The id of a box."""
    made = command("create", "--env", "WORD=given", "-l", "cli")
    assert made.code == 0
    yield made.out.strip()
    command("rm", made.out.strip())


def test_box_is_made_used_frozen_forked_and_removed(command: Command, name: str) -> None:
    assert name in command("ls", "--label", "cli").out
    assert command("ls", "-q", "--label", "nothing").out == ""
    done = command("exec", name, "sh", "-c", "echo $WORD; echo err >&2; exit 7")
    assert (done.code, done.out, done.err) == (7, "given\n", "err\n")
    assert command("exec", "-w", "/tmp", name, "--", "pwd").out == "/tmp\n"
    assert command("exec", name, "ls", "--version").code == 0  # its options are not ours
    assert command("freeze", name).code == 0
    assert "paused" in command("ls", "--label", "cli").out
    assert command("resume", name).code == 0
    command("exec", name, "sh", "-c", "echo 1 > f")
    forked = command("fork", name).out.strip()
    kept = command("snapshot", name, "base").out.strip()
    restored = command("create", "--snapshot", kept).out.strip()
    assert [command("exec", other, "cat", "f").out for other in (forked, restored)] == ["1\n", "1\n"]
    assert "box created" in command("logs", name).out
    assert "completed" in command("logs", "--runs", name).out
    assert command("url", name, "8000").out.strip().startswith(f"http://{name}-8000.")
    assert command("rm", forked, restored).code == 0


def test_files_and_folders_are_copied_both_ways(command: Command, name: str, tmp_path: Path) -> None:
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    (tmp_path / "tree" / "deep" / "a").write_bytes(os.urandom(5_000_000))
    (tmp_path / "tree" / "empty").touch()
    assert "2 files copied" in command("cp", tmp_path / "tree", f"{name}:up").err
    assert "2 files copied" in command("cp", f"{name}:up", tmp_path / "down").err
    for path in ("deep/a", "empty"):
        assert (tmp_path / "down" / path).read_bytes() == (tmp_path / "tree" / path).read_bytes()
    assert command("cp", tmp_path / "tree" / "empty", f"{name}:up").code == 0
    assert command("cp", f"{name}:up/deep/a", tmp_path).code == 0
    assert (tmp_path / "a").stat().st_size == 5_000_000
    for source, target in (
        (f"{name}:missing", tmp_path / "x"),
        (tmp_path / "missing", f"{name}:x"),
        ("a", "b"),
        (f"{name}:a", f"{name}:b"),
    ):
        refused = command("cp", source, target)
        assert (refused.code, refused.err.startswith("box-review: ")) == (2, True)


def test_command_ends_with_its_caller(command: Command, name: str, served: Server) -> None:
    environment = {**os.environ, "UPSTASH_BOX_BASE_URL": served.url, "UPSTASH_BOX_API_KEY": "box_one"}
    argv = [sys.executable, "-m", "box_review", "box", "exec", "-i", name, "sh", "-c", "read x; echo got $x; exec sleep 77"]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509 - a shell's background jobs ignore it
    ) as process:  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b"word\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"got word\n"
        process.send_signal(signal.SIGINT)
        process.wait(10)
    until(lambda: "sleep" not in command("exec", name, "sh", "-c", "cat /proc/[0-9]*/comm").out)


def test_shell_has_a_terminal_and_wakes_a_frozen_box(command: Command, name: str, served: Server) -> None:
    command("freeze", name)
    environment = {**os.environ, "UPSTASH_BOX_BASE_URL": served.url, "UPSTASH_BOX_API_KEY": "box_one"}
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, "-m", "box_review", "box", "shell", name], environment)
    try:
        heard = _until(terminal, b"$")
        os.write(terminal, b"echo it-is-$((6*7)); tty\n")
        heard = _until(terminal, b"/dev/pts")
        assert b"it-is-42" in heard
        os.write(terminal, b"exit 5\n")
        _until(terminal, b"exit")
    finally:
        _, status = os.waitpid(pid, 0)
        os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 5


def _until(terminal: int, words: bytes) -> bytes:
    heard, ends = b"", time.monotonic() + 20
    while words not in heard:
        assert time.monotonic() < ends, heard
        if select.select([terminal], [], [], 0.5)[0]:
            heard += os.read(terminal, 1 << 16)
    return heard


def test_mistakes_are_told_in_one_sentence(command: Command, served: Server) -> None:
    for words, said in (
        (("exec", "nobody", "true"), "no box 'nobody'"),
        (("create", "--env", "NOWHERE_SET"), "NAME=VALUE"),
        (("create", "--name", "a/b"), "cannot be called"),
        (("create", "--snapshot", "none"), "no snapshot"),
        (("rm", "nobody"), "no box"),
        (("shell", "nobody"), "needs a terminal"),
    ):
        ended = command(*words)
        assert (ended.code, said in ended.err, "Traceback" in ended.err) == (2, True, False)
    unreachable = box_review("box", "ls", UPSTASH_BOX_BASE_URL="http://127.0.0.1:1", UPSTASH_BOX_API_KEY="x")
    assert (unreachable.code, "Traceback" in unreachable.err) == (3, False)
    assert box_review("box", "ls").code == 2
