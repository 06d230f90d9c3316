"""Ports of boxes that are visited from outside."""

from __future__ import annotations

import base64
import socket
import time
from urllib.parse import urlsplit

import httpx
import pytest
from upstash_box import Box, BoxError
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.flow.box_api.conftest import until
from tests.server import Server

APP = """
import hashlib, http.server, socketserver, base64, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.headers.get("upgrade") == "websocket":
            key = self.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            self.send_response(101)
            self.send_header("Upgrade", "websocket"); self.send_header("Connection", "Upgrade")
            self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
            self.end_headers(); self.wfile.flush()
            while True:
                head = self.rfile.read(2)
                if len(head) < 2 or head[0] & 15 == 8:
                    self.close_connection = True
                    return
                size = head[1] & 127
                mask = self.rfile.read(4)
                data = bytes(byte ^ mask[n % 4] for n, byte in enumerate(self.rfile.read(size)))
                self.wfile.write(bytes([head[0], size]) + data[::-1]); self.wfile.flush()
        length = int(self.headers.get("content-length", 0))
        if self.headers.get("transfer-encoding") == "chunked":
            body = b""
            while (size := int(self.rfile.readline(), 16)):
                body += self.rfile.read(size); self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(length)
        said = f"{self.command} {self.path} {body.decode()} {self.headers['host']} {self.headers.get('authorization')}"
        said += " key" if self.headers.get("x-box-api-key") or self.headers.get("x-box-visit") else ""
        self.send_response(201)
        self.send_header("Set-Cookie", "a=1"); self.send_header("Set-Cookie", "b=2")
        self.send_header("Content-Length", str(len(said))); self.end_headers()
        self.wfile.write(said.encode())
    do_POST = do_GET
http.server.ThreadingHTTPServer(("127.0.0.1", 8000), Handler).serve_forever()
"""
START = "exec python3 app.py"


@pytest.fixture
def app(box: Box) -> Box:
    """A box with a program that answers."""
    box.files.write(path="app.py", content=APP)
    box.exec.command(
        f"({START} >/dev/null 2>&1 &) ; curl -s --retry 50 --retry-delay 1 --retry-max-time 10 --retry-connrefused http://127.0.0.1:8000/"
    )
    return box


def visit(served: Server, url: str, path: str = "/", **more: object) -> httpx.Response:
    """Ask as a visitor; names below `localhost` lead here whatever the system's resolver says."""
    host = urlsplit(url).netloc
    method = str(more.pop("method", "GET"))
    headers = {"Host": host, **more.pop("headers", {})}  # type: ignore[dict-item]
    return httpx.request(method, f"{served.url}{path}", headers=headers, trust_env=False, timeout=40, **more)  # type: ignore[arg-type]


def test_port_is_visited_at_a_host_of_its_own(app: Box, served: Server) -> None:
    made = app.get_public_url(8000)
    host = f"{app.id}-8000.localhost:{urlsplit(served.url).port}"
    assert made.url == f"http://{host}"
    assert (made.token, made.username, made.password) == (None, None, None)
    answer = visit(
        served, made.url, "/a%2Fb?c=d%20e", headers={"Authorization": "Basic x", "X-Box-Api-Key": "box_one", "X-Box-Visit": "other-1"}
    )
    assert (answer.status_code, answer.text) == (201, f"GET /a%2Fb?c=d%20e  {host} Basic x")
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert visit(served, made.url, method="POST", content=b"body").text == f"POST / body {host} None"
    assert visit(served, made.url, method="POST", content=iter([b"in ", b"pieces"])).text == f"POST / in pieces {host} None"
    assert visit(served, made.url, headers={"Referer": "https://ä.example/".encode()}).status_code == 201
    listed = app.list_public_urls()["public_urls"]
    assert [(entry.id, entry.port, entry.url, entry.basic_auth, entry.bearer_token) for entry in listed] == [
        (f"{app.id}-8000", 8000, made.url, False, False)
    ]
    assert visit(served, made.url, "/v2/box", headers={"X-Box-Api-Key": "box_one"}).status_code == 201  # the program's, not the API's
    app.delete_public_url(8000)
    assert visit(served, made.url).status_code == 404
    assert app.list_public_urls()["public_urls"] == []


def test_visitor_without_the_token_or_password_learns_nothing(app: Box, served: Server) -> None:
    made = app.get_public_url(8000, bearer_token=True, basic_auth=True)
    assert made.token and made.username and made.password
    basic = base64.b64encode(f"{made.username}:{made.password}".encode()).decode()
    for given, status in (
        (f"Bearer {made.token}", 201),
        (f"Basic {basic}", 201),
        ("", 401),
        ("Bearer x", 401),
        (f"Basic {made.token}", 401),
        ("Bearer", 401),
    ):
        answer = visit(served, made.url, headers={"Authorization": given} if given else {})
        assert answer.status_code == status
        assert made.token not in answer.text  # not even the program hears it
    again = app.get_public_url(8000, bearer_token=True)
    assert visit(served, again.url, headers={"Authorization": f"Bearer {made.token}"}).status_code == 401
    app.pause()
    assert visit(served, again.url).status_code == 401
    assert app.get_status()["status"] == "paused"


def test_visit_wakes_a_frozen_box(app: Box, served: Server) -> None:
    app.set_init_command(f"cd /workspace/home && {START}")
    assert app.get_init_command() == f"cd /workspace/home && {START}"
    made = app.get_public_url(8000)
    app.pause()
    assert visit(served, made.url, "/woken").text.startswith("GET /woken")
    assert app.get_status()["status"] in ("idle", "running")
    app.delete_init_command()
    assert not app.get_init_command()


def test_port_without_a_program_is_said_to_be_closed(box: Box, served: Server) -> None:
    made = box.get_public_url(8001)
    assert visit(served, made.url).status_code == 502
    assert visit(served, made.url.replace("8001", "8002")).status_code == 404
    assert visit(served, made.url.replace(box.id, "bx0000000000000000")).status_code == 404
    for port in (0, 65536, "x"):
        with pytest.raises(BoxError):
            box.get_public_url(port)  # type: ignore[arg-type]


def test_websocket_is_passed_on_both_ways(app: Box, served: Server) -> None:
    made = app.get_public_url(8000, bearer_token=True)
    parts = urlsplit(served.url)
    url = made.url.replace("http", "ws", 1)

    def reached() -> socket.socket:
        return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10)

    with connect(f"{url}/chat", additional_headers={"Authorization": f"Bearer {made.token}"}, sock=reached()) as chat:
        chat.send("abc")
        assert chat.recv(timeout=5) == "cba"
        chat.send(b"\x00\xff")
        assert chat.recv(timeout=5) == b"\xff\x00"
    with pytest.raises(InvalidStatus) as refused, connect(f"{url}/chat", sock=reached()):
        pass
    assert refused.value.response.status_code == 401


def test_init_command_runs_when_the_box_is_made_and_not_in_its_snapshots(account: None) -> None:
    made = Box.create(init_command="echo run >> /workspace/home/ran")
    until(lambda: made.exec.command("cat ran 2>/dev/null").result == "run\n")
    kept = made.snapshot(name="with-init")
    assert kept.size_bytes > 0
    restored = Box.from_snapshot(kept.id)
    time.sleep(0.3)
    assert restored.exec.command("cat ran").result == "run\n"
    Box.delete_boxes(box_ids=[made.id, restored.id])
    Box.delete_snapshots(snapshot_ids=[kept.id])


EARLY = r"""
import socket, threading, time
def answer(connection):
    status = b"700 No" if b"/odd" in connection.recv(1000) else b"403 No"
    connection.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 4\r\n\r\nstop")
    time.sleep(1)
    connection.close()
listener = socket.create_server(("127.0.0.1", 8000))
while True:
    threading.Thread(target=answer, args=(listener.accept()[0],)).start()
"""


def test_program_that_answers_before_it_has_read_all_is_heard_and_a_nonsensical_one_is_a_502(box: Box, served: Server) -> None:
    box.files.write(path="early.py", content=EARLY)
    box.exec.command("(python3 early.py >/dev/null 2>&1 &); sleep 0.5")
    made = box.get_public_url(8000)
    for path, status in (("/", 403), ("/odd", 502)):
        try:
            answer = visit(served, made.url, path, method="POST", content=b"x" * 5_000_000)
        except httpx.WriteError:
            continue  # the answer came while we wrote, and we were cut off: as well
        assert answer.status_code == status
    until(lambda: box.get_status()["status"] == "idle")  # no visit is left that would keep it busy
