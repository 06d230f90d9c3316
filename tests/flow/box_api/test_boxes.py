"""The box API through the official Python client, unmodified, against a real server."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import ClassVar, cast

import httpx
import pytest
from fastapi import Request
from upstash_box import Box, BoxError, EphemeralBox
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from bot import boxes
from bot.errors import Refused
from bot.keys import Keys
from tests.flow.box_api.conftest import until
from tests.server import Server


def test_box_is_made_ready_listed_and_deleted(account: None) -> None:
    started = time.monotonic()
    made = Box.create(name="first", labels=["a:b", "c"], size="medium")
    assert time.monotonic() - started < 2  # the client polls every two seconds if it has to
    assert made.get_status()["status"] == "idle"
    assert Box.get(made.id).id == Box.get_by_name("first").id == made.id
    assert [(listed.id, listed.name, listed.size) for listed in Box.list()] == [(made.id, "first", "medium")]
    assert [listed.id for listed in Box.list(label="a:b")] == [made.id]
    assert Box.list(label="d") == []
    with pytest.raises(BoxError, match="already"):
        Box.create(name="first")
    Box.delete_boxes(box_ids=[made.id])
    assert Box.list() == []
    assert Box.get(made.id).id == made.id  # as on the hosted service it tells that it is deleted
    with pytest.raises(BoxError) as refused:
        made.get_status()
    assert refused.value.status_code == 404
    again = Box.create(name="first")
    again.delete()


def test_commands_and_code_are_answered_with_what_they_wrote(box: Box) -> None:
    done = box.exec.command("echo out; echo err >&2; exit 3")
    assert (done.exit_code, done.stdout, done.stderr) == (3, "out\n", "err\n")
    assert box.exec.code(code="print(6 * 7)", lang="python").result.strip() == "42"
    assert box.exec.code(code="console.log([1].length)", lang="js").result.strip() == "1"
    box.exec.command("mkdir -p sub/deep")
    box.cd("sub")
    assert box.exec.command("pwd").result.strip() == "/workspace/home/sub"
    with pytest.raises(BoxError):
        box.cd("nowhere")
    runs = box.list_runs()
    assert {run.type for run in runs} == {"shell"}
    assert "sh -c echo out; echo err >&2; exit 3" in [run.prompt for run in runs]
    assert next(line.message for line in box.logs()) == "box created"


def test_output_is_streamed_and_ends_with_the_exit_code(box: Box) -> None:
    started = time.monotonic()
    seen = []
    stream = box.exec.stream("for i in 1 2 3; do echo $i; sleep 0.3; done; exit 4")
    for chunk in stream:
        seen.append((chunk, time.monotonic() - started))
    outputs = [at for chunk, at in seen if chunk.type == "output"]
    assert len(outputs) >= 2 and outputs[-1] - outputs[0] > 0.3
    assert (seen[-1][0].type, seen[-1][0].exit_code) == ("exit", 4)


def test_frozen_box_keeps_its_state_and_wakes_for_any_work(box: Box) -> None:
    box.files.write(path="kept.txt", content="kept")
    box.pause()
    assert box.get_status()["status"] == "paused"
    box.pause()
    box.resume()
    assert box.get_status()["status"] == "idle"
    box.pause()
    assert box.files.read("kept.txt") == "kept"
    assert box.get_status()["status"] == "idle"


def test_files_are_written_read_listed_and_moved(box: Box, tmp_path: Path) -> None:
    box.files.write(path="deep/er/a.txt", content="äöü")
    assert box.files.read("deep/er/a.txt") == "äöü"
    box.files.write(path="b.bin", content="AAEC/w==", encoding="base64")
    assert box.files.read("b.bin", encoding="base64") == "AAEC/w=="
    box.files.write(path="long", content="0123456789")
    assert box.files.read("long", offset=3, length=4) == "3456"
    assert {(entry.name, entry.is_dir) for entry in box.files.list()} == {("b.bin", False), ("deep", True), ("long", False)}
    info = box.files.stat("long")
    assert (info.type, info.size) == ("file", 10)
    box.files.write(path="long", content="01234567890")
    assert box.files.stat("long").version != info.version
    box.exec.command("ln -s long link")
    assert (box.files.stat("link").type, box.files.stat("link", follow=True).type) == ("symlink", "file")
    box.files.mkdir("made")
    with pytest.raises(BoxError):
        box.files.mkdir("made")
    box.files.rename("long", "made/short")
    with pytest.raises(BoxError):
        box.files.remove("made")
    box.files.remove("made", recursive=True)
    with pytest.raises(BoxError) as missing:
        box.files.stat("made")
    assert missing.value.status_code == 404
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(name.encode() * 1000)
    box.files.upload([{"path": str(tmp_path / name), "destination": f"up/{name}"} for name in ("one", "two")])
    assert box.exec.command("wc -c < up/two").result.strip() == "3000"


def test_session_streams_both_ways_on_a_terminal_and_dies_with_its_connection(box: Box) -> None:
    heard: list[bytes] = []
    with box.exec.session(argv=["cat"], on_stdout=heard.append) as session:
        session.write(b"through\n")
        session.end_stdin()
        assert session.wait() == 0
    assert b"".join(heard) == b"through\n"
    heard.clear()
    with box.exec.session(cmd="stty size; tty", tty=True, rows=33, cols=101, on_stdout=heard.append) as session:
        session.wait()
    assert b"33 101" in b"".join(heard) and b"/dev/pts/" in b"".join(heard)
    with box.exec.session(cmd="sleep 61 & sleep 62") as session:
        assert "sleep" in box.exec.command(f"cat /proc/{session.pid}/cmdline | tr '\\0' ' '; cat /proc/*/cmdline").result
    time.sleep(1.0)
    assert "sleep" not in box.exec.command("cat /proc/[0-9]*/comm | grep -v '^cat$'").result


def test_session_is_signalled_resized_and_ended_with_all_it_started(box: Box) -> None:
    heard: list[bytes] = []
    with box.exec.session(cmd="trap 'stty size' WINCH; echo up; while :; do sleep 0.05; done", tty=True, on_stdout=heard.append) as session:
        until(lambda: b"up" in b"".join(heard))
        session.resize(rows=50, cols=120)
        until(lambda: b"50 120" in b"".join(heard))
        session.kill("TERM")
        assert session.wait() != 0
    heard.clear()
    with box.exec.session(cmd="trap '' TERM; sleep 61 & echo up; wait; sleep 62", on_stdout=heard.append) as session:
        until(lambda: b"up" in b"".join(heard))
        session.terminate(grace_ms=300)
        assert session.wait() != 0
    assert "sleep" not in box.exec.command("cat /proc/[0-9]*/comm | grep -v '^cat$'").result


def test_git_clones_commits_and_pushes(box: Box) -> None:
    box.exec.command("git init --quiet --bare --initial-branch=main origin.git")
    box.git.clone(repo="file:///workspace/home/origin.git", folder="/workspace/home/work")
    box.cd("work")
    assert box.git.status() == ""
    box.files.write(path="/workspace/home/work/a", content="1\n")
    assert box.git.status() == "?? a\n"
    with pytest.raises(BoxError, match="nothing added"):
        box.git.commit(message="empty")
    box.git.update_config(user_name="Somebody", user_email="s@example.com")
    assert box.git.exec(args=["add", "a"]).exit_code == 0
    assert "+1" in box.git.diff()
    made = box.git.commit(message="first")
    assert box.git.exec(args=["log", "--format=%H %an %s"]).output == f"{made.sha} Somebody first\n"
    box.git.checkout(branch="topic")
    box.git.push()
    assert "topic" in box.git.exec(args=["ls-remote", "origin"]).output
    assert box.git.exec(args=["frobnicate"]).exit_code == 1
    with pytest.raises(BoxError, match="branch"):
        box.git.checkout(branch="--orphan")


def test_snapshot_outlives_its_box(account: None) -> None:
    first = Box.create()
    first.files.write(path="f", content="1")
    kept = first.snapshot(name="base")
    assert [entry.id for entry in first.list_snapshots()] == [kept.id]
    first.delete()
    second = Box.from_snapshot(kept.id)
    assert second.files.read("f") == "1"
    assert Box.delete_snapshots(snapshot_ids=[kept.id]) == {"deleted": 1}
    assert second.files.read("f") == "1"
    with pytest.raises(BoxError, match="no snapshot"):
        Box.from_snapshot(kept.id)
    second.delete()


def test_ephemeral_box_goes_after_its_time(account: None) -> None:
    made = EphemeralBox.create(ttl=2)
    assert made.exec.command("echo here").result.strip() == "here"
    assert abs(made.expires_at - time.time()) < 5
    assert [listed.id for listed in Box.list()] == [made.id]
    time.sleep(2.1)
    with pytest.raises(BoxError) as gone:
        made.exec.command("true")
    assert gone.value.status_code == 404
    assert Box.list() == []


def test_fork_has_files_and_settings_of_its_origin(account: None, served: Server) -> None:
    first = Box.create(name="origin", env={"WORD": "given"}, labels=["one"], size="medium")
    first.files.write(path="f", content="1")
    answer = httpx.post(f"{served.url}/v2/box/origin/fork", headers={"X-Box-Api-Key": "box_one"}, trust_env=False)
    second = Box.get(answer.json()["id"])
    assert (answer.json()["labels"], answer.json()["size"], "name" in answer.json()) == (["one"], "medium", False)
    assert second.exec.command("cat f; echo $WORD").result == "1given\n"
    second.files.write(path="f", content="2")
    assert first.files.read("f") == "1"
    Box.delete_boxes(box_ids=[first.id, second.id])
    assert Box.list() == []


async def test_request_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless:
        scope: ClassVar[dict[str, str]] = {}
        headers: ClassVar[dict[str, str]] = {}
        url = httpx.URL("http://x/v2/box/b/exec")

        async def stream(self) -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 1000

    monkeypatch.setattr(boxes, "MAX_LOOKED_AT_BYTES", 10_000)
    taken = 0
    with pytest.raises(Refused) as refused:
        async for piece in boxes._limited(cast("Request", Endless())):
            taken += len(piece)
    assert (refused.value.status_code, taken) == (413, 10_000)


def test_uploads_are_refused_whole(box: Box, served: Server) -> None:
    url, headers = f"{served.url}/v2/box/{box.id}/files/upload", {"X-Box-Api-Key": "box_one"}
    for paths, count, status in ((["a", "b"], 1, 400), ([f"p{n}" for n in range(11)], 11, 413), (["ok", "a\0b"], 2, 400)):
        files = [("files", (f"{n}", b"x")) for n in range(count)]
        answer = httpx.post(url, headers=headers, data={"paths": paths}, files=files, trust_env=False)
        assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert box.files.list() == []


def test_variables_of_account_and_box_reach_commands_and_are_shown_masked(account: None) -> None:
    Box.set_all_env({"ACCOUNT": "everywhere-the-same", "BOTH": "account"})
    Box.set_env("LATER", "x")
    made = Box.create(env={"BOTH": "box"})
    assert made.exec.command('echo "$ACCOUNT $BOTH $LATER"').result.strip() == "everywhere-the-same box x"
    assert "everywhere" not in json.dumps(Box.list_env(), default=str)
    for name in ("ACCOUNT", "BOTH", "LATER"):
        Box.delete_env(name)
    assert not Box.list_env()
    with pytest.raises(BoxError, match="LD_PRELOAD"):
        Box.create(env={"LD_PRELOAD": "x"})
    made.delete()


def test_labels_and_network_policy_can_be_changed(box: Box) -> None:
    assert box.labels.add("one") == ["one"]
    assert box.labels.remove("one") == []
    box.update_network_policy({"mode": "custom", "allowed_domains": ["example.com"]})
    shown = Box.get(box.id).network_policy
    assert {key: value for key, value in shown.items() if value is not None} == {"mode": "custom", "allowed_domains": ["example.com"]}
    with pytest.raises(BoxError):
        box.update_network_policy({"mode": "custom", "allowed_domains": ["not a host"]})


def test_no_tenant_finds_another_tenants_boxes(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = box.snapshot(name="mine")
    monkeypatch.setenv("UPSTASH_BOX_API_KEY", "box_two")
    assert Box.list() == []
    for call in (lambda: Box.get(box.id), lambda: Box.from_snapshot(kept.id), lambda: Box.delete_boxes(box_ids=[box.id])):
        with pytest.raises(BoxError) as refused:
            call()
        assert refused.value.status_code == 404
    assert Box.delete_snapshots() == {"deleted": 0}
    monkeypatch.setenv("UPSTASH_BOX_API_KEY", "box_three")
    with pytest.raises(BoxError) as refused:
        Box.list()
    assert refused.value.status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "", b"{", 400),
        ("POST", "", b"[]", 400),
        ("POST", "", b'{"size": "huge"}', 400),
        ("POST", "", b'{"nonsense": 1}', 400),
        ("POST", "", b'{"name": "a/b"}', 400),
        ("POST", "", b'{"name": "settings"}', 400),
        ("POST", "", b'{"ttl": -1, "ephemeral": true}', 400),
        ("POST", "", b'{"attach_headers": {"a b": {"x": "y"}}}', 400),
        ("POST", "", b'{"browser": true}', 400),
        ("DELETE", "", b'{"ids": []}', 400),
        ("DELETE", "", b"{}", 400),
        ("DELETE", "/snapshots", b'{"ids": []}', 400),
        ("DELETE", "/snapshots", b'{"ids": null}', 400),
        ("GET", "/nowhere", None, 404),
        ("GET", "/ID/files/read?path=/etc/shadow", None, 404),
        ("GET", "/ID/files/read?path=../../../proc/1/mem", None, 403),
        ("GET", "/ID/files/read?path=missing", None, 404),
        ("GET", "/ID/files/read?path=a%00b", None, 400),
        ("GET", "/ID/files/read?path=x&length=99999999", None, 400),
        ("GET", "/ID/files/read?path=x&offset=-1&length=1", None, 400),
        ("POST", "/ID/files/write", b'{"path": "x", "content": "%%%", "encoding": "base64"}', 400),
        ("POST", "/ID/files/write", b'{"path": "/usr/bin/x", "content": ""}', 403),
        ("POST", "/ID/code", b'{"code": "let x: number", "language": "ts"}', 400),
        ("POST", "/ID/exec", b'{"command": []}', 400),
        ("POST", "/ID/exec", b'{"command": ["a\\u0000b"]}', 400),
        ("GET", "/ID/browser/tabs", None, 404),
        ("GET", "/ID/logs?limit=-1", None, 400),
    ],
)
def test_bad_input_is_a_clear_error(box: Box, served: Server, method: str, path: str, body: bytes | None, status: int) -> None:
    url = f"{served.url}/v2/box{path.replace('ID', box.id)}"
    headers = {"X-Box-Api-Key": "box_one", "Content-Type": "application/json", "X-Box-Tenant": "somebody-else"}
    request = urllib.request.Request(url, method=method, data=body, headers=headers)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20)
    with refused.value as answer:
        assert (answer.code, list(json.load(answer))) == (status, ["error"])


async def test_caller_that_names_another_tenant_is_not_believed(box: Box, served: Server) -> None:
    owner = await Keys(["box_one"]).caller("box_one")
    assert owner is not None
    headers = {"X-Box-Api-Key": "box_two", "X-Box-Tenant": owner.tenant}
    for path in ("", f"/{box.id}"):
        answer = httpx.get(f"{served.url}/v2/box{path}", headers=headers, trust_env=False)  # noqa: ASYNC210
        assert answer.json() == ([] if not path else {"error": f"no box {box.id!r}"})


@pytest.mark.parametrize(("key", "status"), [("", 401), ("box_wrong", 401), ("box_two", 404)])
def test_session_in_another_tenants_box_is_refused_at_the_handshake(box: Box, served: Server, key: str, status: int) -> None:
    url = f"{served.url}/v2/box/{box.id}/exec-session".replace("http", "ws", 1)
    with pytest.raises(InvalidStatus) as refused, connect(url, additional_headers={"X-Box-Api-Key": key}, proxy=None):
        pass
    assert refused.value.response.status_code == status
