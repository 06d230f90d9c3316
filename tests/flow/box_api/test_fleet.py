"""Boxes on two hosts behind one front."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from upstash_box import Box, BoxError

from tests.flow.box_api.conftest import until
from tests.flow.box_api.test_public_urls import visit
from tests.server import Server

TOKEN = "a-token-of-the-fleet"
KEY = {"X-Box-Api-Key": "box_one"}


@pytest.fixture(scope="module")
def port() -> int:
    """Where the second host listens for the front."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def fleet(short_tmp: Path, port: int) -> Iterator[Server]:
    """A server, and a second host that its front reaches over the network."""
    log = short_tmp / "b.log"
    with Server(short_tmp / "a", BOX_API_KEYS="box_one,box_two", BOX_HOST_TOKEN=TOKEN) as server, log.open("w") as written:
        more = {"REDIS_URL": f"unix://{short_tmp}/a/queue/valkey.sock", "BOX_DATA_DIR": f"{short_tmp}/b", "BOX_HOST_TOKEN": TOKEN}
        environment = {**os.environ, **more, "BOX_LISTEN": f"127.0.0.1:{port}"}
        runner = subprocess.Popen([sys.executable, "-m", "runner"], env=environment, stdout=written, stderr=written)
        until(lambda: "runner host ready" in log.read_text(), 30)
        until(lambda: _spread(server), 20)
        yield server
        runner.terminate()
        runner.wait(30)


def _spread(server: Server) -> bool:
    """Whether two new boxes land on different hosts."""
    made = [httpx.post(f"{server.url}/v2/box", headers=KEY, json={}, trust_env=False).json()["id"] for _ in range(2)]
    here = [_is_here(server, box_id) for box_id in made]
    httpx.request("DELETE", f"{server.url}/v2/box", headers=KEY, json={"ids": made}, trust_env=False)
    return here[0] is not here[1]


def _is_here(server: Server, box_id: str) -> bool:
    """Whether a box is on the first host."""
    return (server.data_dir / "boxes" / box_id).exists()


@pytest.fixture
def boxes(fleet: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Box]]:
    """A box on each host."""
    monkeypatch.setenv("UPSTASH_BOX_BASE_URL", fleet.url)
    monkeypatch.setenv("UPSTASH_BOX_API_KEY", "box_one")
    made: list[Box] = []
    try:
        while len({_is_here(fleet, box.id) for box in made}) < 2:
            assert len(made) < 20
            made.append(Box.create(name=f"b{len(made)}"))
        yield [next(box for box in made if _is_here(fleet, box.id) is wanted) for wanted in (True, False)]
    finally:
        Box.delete_boxes(box_ids=[box.id for box in made])


def test_boxes_land_on_both_hosts_and_are_reached_by_id_and_name(boxes: list[Box]) -> None:
    for number, box in enumerate(boxes):
        box.files.write(path="f", content=str(number))
        name = next(listed.name for listed in Box.list() if listed.id == box.id)
        assert Box.get_by_name(name).files.read("f") == str(number)
        heard: list[bytes] = []
        with box.exec.session(argv=["echo", "session"], on_stdout=heard.append) as session:
            session.wait()
        assert b"".join(heard) == b"session\n"
        assert "".join(chunk.data for chunk in box.exec.stream("echo stream") if chunk.type == "output") == "stream\n"
    assert {box.id for box in boxes} <= {listed.id for listed in Box.list()}
    with pytest.raises(BoxError) as missing:
        Box.get("no-such-box")
    assert missing.value.status_code == 404
    with pytest.raises(BoxError, match="already"):
        Box.create(name="b0")


def test_snapshot_is_restored_where_it_lies_and_all_are_listed_and_deleted(boxes: list[Box], fleet: Server) -> None:
    for box in boxes:
        box.files.write(path="kept", content=box.id)
    kept = [box.snapshot(name="s") for box in boxes]
    restored = [Box.from_snapshot(one.id) for one in kept]
    assert [box.files.read("kept") for box in restored] == [box.id for box in boxes]
    listed = httpx.get(f"{fleet.url}/v2/box/snapshots", headers=KEY, trust_env=False).json()["snapshots"]
    assert {one["id"] for one in listed} == {one.id for one in kept}
    logs = httpx.get(f"{fleet.url}/v2/box/logs", headers=KEY, trust_env=False).json()["logs"]
    assert {line["box_id"] for line in logs} >= {box.id for box in boxes}
    Box.delete_boxes(box_ids=[box.id for box in restored])
    assert Box.delete_snapshots() == {"deleted": 2}
    with pytest.raises(BoxError, match="no snapshot"):
        Box.from_snapshot(kept[0].id)


def test_variables_of_an_account_reach_boxes_of_both_hosts(boxes: list[Box]) -> None:
    Box.set_all_env({"WORD": "everywhere"})
    made = [Box.create() for _ in range(4)]
    assert [box.exec.command("echo $WORD").result.strip() for box in made] == ["everywhere"] * 4
    Box.set_all_env({})
    with pytest.raises(BoxError, match="nobody"):
        Box.delete_boxes(box_ids=[made[0].id, "nobody", made[1].id])
    left = {listed.id for listed in Box.list()}
    assert not left & {made[0].id, made[1].id}
    Box.delete_boxes(box_ids=[made[2].id, made[3].id])


def test_ports_on_both_hosts_are_visited(boxes: list[Box], fleet: Server) -> None:
    for box in boxes:
        box.files.write(path="index.html", content=box.id)
        box.exec.command(
            "(python3 -m http.server 8000 >/dev/null 2>&1 &); curl -s --retry 20 --retry-delay 1 --retry-connrefused localhost:8000"
        )
        assert visit(fleet, box.get_public_url(8000).url).text == box.id


SHOW = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(str(self.headers).encode())
http.server.HTTPServer(("127.0.0.1", 8001), Handler).serve_forever()
"""


def test_no_program_in_a_box_hears_the_token_of_the_fleet(boxes: list[Box], fleet: Server) -> None:
    for box in boxes:
        box.files.write(path="show.py", content=SHOW)
        box.exec.command("(python3 show.py >/dev/null 2>&1 &); curl -s --retry 20 --retry-delay 1 --retry-connrefused localhost:8001")
        heard = visit(fleet, box.get_public_url(8001).url, headers={"X-Seen": "yes"}).text.lower()
        assert "x-seen: yes" in heard
        assert TOKEN not in heard and "x-box-" not in heard


def test_no_tenant_reaches_another_tenants_box_on_any_host(boxes: list[Box], fleet: Server) -> None:
    other = {"X-Box-Api-Key": "box_two"}
    assert httpx.get(f"{fleet.url}/v2/box", headers=other, trust_env=False).json() == []
    for box in boxes:
        answer = httpx.get(f"{fleet.url}/v2/box/{box.id}/status", headers=other, trust_env=False)
        assert (answer.status_code, answer.json()) == (404, {"error": f"no box {box.id!r}"})


@pytest.mark.parametrize("headers", [{}, {"X-Box-Host-Token": "wrong"}, {"X-Box-Host-Token": ""}])
def test_host_on_the_network_answers_nobody_without_the_token(fleet: Server, port: int, headers: dict[str, str]) -> None:
    answer = httpx.get(f"http://127.0.0.1:{port}/v2/box", headers={"X-Box-Tenant": "t", **headers}, trust_env=False)
    assert (answer.status_code, answer.json()) == (401, {"error": "this port is for the fronts of the fleet"})
