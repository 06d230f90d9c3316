"""What leaves a box, and what does not: the gateway as programs in boxes of every driver meet it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.box import Box, BoxSpec, Command, Freeze
from sandbox.conformance.check import SMALL, python, shell
from sandbox.driver import Driver
from sandbox.gateway.access import Host
from sandbox.gateway.authority import Authority
from sandbox.gateway.policy import NetworkPolicy
from sandbox.gateway.settings import GatewaySettings
from sandbox.stored import WayOut
from tests.sandbox.drivers import DRIVERS, open_driver
from tests.sandbox.gateway.outside import ADDRESS, Outside, Reply, Site, listening
from tests.sandbox.gateway.test_names import HOSTILE

every_driver = pytest.mark.parametrize("name", DRIVERS)
OPEN = NetworkPolicy(mode="allow-all")
ONE = NetworkPolicy(mode="custom", allowed_domains=("allowed.test",))
SECRET = "Bearer s3cret-that-stays-outside"


@dataclass
class World:
    """A driver, an internet of our own, and two servers in it."""

    driver: Driver
    outside: Outside
    http: Site
    https: Site
    authority: str

    async def box(self, policy: NetworkPolicy, **more: object) -> Box:
        """A box with that policy, in which the internet's authority lies as `ca.pem`."""
        box = await self.driver.create(BoxSpec(limits=SMALL, network=policy, **more))  # type: ignore[arg-type]
        await box.write_file("ca.pem", self.authority.encode())
        return box


@contextlib.asynccontextmanager
async def world(name: str, data_dir: Path, outside: Outside | None = None, *, keep: bool = False) -> AsyncIterator[World]:
    """Open all of it; the boxes are deleted at the end unless they are to be kept."""
    internet = await asyncio.to_thread(Authority, data_dir / "internet")
    outside = outside or Outside()
    http, https = Site(), Site()

    def host(settings: GatewaySettings, authority: Authority) -> Host:
        return Host(settings, authority, outside.resolve, outside.connect, ssl.create_default_context(cadata=internet.certificate))

    async with listening(http.serve) as plain, listening(https.serve, internet.context_for("allowed.test")) as secure:
        outside.ports |= {(ADDRESS, 80): plain, (ADDRESS, 443): secure}
        async with open_driver(name, data_dir / "h", WayOut(host=host)) as driver:
            try:
                yield World(driver, outside, http, https, internet.certificate)
            finally:
                for box in [] if keep else driver.boxes():
                    await box.delete()


async def curl(box: Box, *words: str) -> tuple[int, bytes]:
    result = await box.exec(Command(["curl", "-sS", "--max-time", "20", *words]), timeout_s=30)
    return result.exit_code, result.stdout


@every_driver
async def test_allowed_host_answers_over_http_and_https_and_others_do_not(name: str, data_dir: Path) -> None:
    async with world(name, data_dir) as net:
        box = await net.box(ONE)
        assert await curl(box, "http://allowed.test/a") == (0, b"hello")
        assert await curl(box, "--cacert", "ca.pem", "https://allowed.test/b") == (0, b"hello")
        assert (await curl(box, "https://other.test/"))[0] == 56
        assert (await curl(box, "http://other.test/"))[1].startswith(b"other.test")
        assert [seen.target for seen in (*net.http.seen, *net.https.seen)] == ["/a", "/b"]
        assert net.outside.looked_up == ["allowed.test", "allowed.test"]
        decisions = [(decision.target.host, decision.outcome) for decision in net.driver.gateway.decisions(box.id)]
        assert decisions == [("allowed.test", "allowed")] * 2 + [("other.test", "refused")] * 2


@every_driver
async def test_closed_box_sends_nothing_not_even_a_lookup(name: str, data_dir: Path) -> None:
    async with world(name, data_dir) as net:
        box = await net.box(NetworkPolicy(mode="deny-all"))
        proxied = ["-x", "http://127.0.0.1:3128"]
        for words in (
            ["http://allowed.test/"],
            ["https://allowed.test/"],
            [*proxied, "https://allowed.test/"],
            [*proxied, f"https://{ADDRESS}/"],
        ):
            assert (await curl(box, *words))[0] in (6, 7, 56)
        assert (await curl(box, *proxied, "http://allowed.test/"))[1].startswith(b"allowed.test")
        assert (net.outside.looked_up, net.outside.connected) == ([], [])
        assert (await shell(box, "env | grep -ic proxy")).stdout == b"0\n"


@every_driver
async def test_injected_header_is_seen_upstream_and_nowhere_in_the_box(name: str, data_dir: Path) -> None:
    async with world(name, data_dir) as net:
        box = await net.box(ONE, attach_headers={"allowed.test": {"Authorization": SECRET}})
        assert await curl(box, "-H", "Authorization: mine", "https://allowed.test/") == (0, b"hello")
        assert net.https.seen[0].header("authorization") == SECRET
        assert await curl(box, "http://allowed.test/") == (0, b"hello")
        assert net.http.seen[0].header("authorization") is None
        assert (await python(box, SEARCH, timeout_s=50)).stdout == b""
        assert SECRET not in repr(BoxSpec(attach_headers={"a.test": {"X": SECRET}}))
        folder = data_dir / "h" / "boxes" / box.id
        assert not [path for path in folder.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
        kept = data_dir / "h" / "secrets"
        assert [path.stat().st_mode & 0o777 for path in (kept, *kept.iterdir())] == [0o700, 0o600]
        await box.delete()
        assert list(kept.iterdir()) == []


TRICKS = {
    **{f"host: {name}": f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n\r\n" for name, host in HOSTILE.items()},
    "loopback": "CONNECT 127.0.0.1:443 HTTP/1.1\r\nHost: 127.0.0.1:443\r\n\r\n",
    "private": "GET http://10.0.0.1/ HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n",
    "docker's host": "GET http://172.17.0.1/ HTTP/1.1\r\nHost: 172.17.0.1\r\n\r\n",
    "metadata": "GET http://169.254.169.254/latest HTTP/1.1\r\nHost: 169.254.169.254\r\n\r\n",
    "mapped": "CONNECT [::ffff:10.0.0.1]:443 HTTP/1.1\r\nHost: [::ffff:10.0.0.1]:443\r\n\r\n",
    "name of a private address": "GET http://rebind.test/ HTTP/1.1\r\nHost: rebind.test\r\n\r\n",
    "metadata by name": "GET http://metadata.google.internal/ HTTP/1.1\r\nHost: metadata.google.internal\r\n\r\n",
    "another Host": "GET http://allowed.test/ HTTP/1.1\r\nHost: other.test\r\n\r\n",
    "two hosts": "GET http://allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\nHost: other.test\r\n\r\n",
    "smuggled length": "POST http://allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\nContent-Length: 4\r\n"
    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "trace": "TRACE http://allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\n\r\n",
    "closed port": "CONNECT allowed.test:22 HTTP/1.1\r\nHost: allowed.test:22\r\n\r\n",
    "no proxy request": "GET / HTTP/1.1\r\nHost: 127.0.0.1:3128\r\n\r\n",
    "path out of the model routes": "POST /anthropic/v1/../../admin HTTP/1.1\r\nHost: 127.0.0.1:3128\r\nContent-Length: 0\r\n\r\n",
    "models without a grant": "POST /anthropic/v1/messages HTTP/1.1\r\nHost: 127.0.0.1:3128\r\nx-api-key: guess\r\n"
    "Content-Length: 0\r\n\r\n",
}
SEARCH = """
import os
word = b's3cret-' + b'that-stays'
for root in ('/proc', '/workspace', '/tmp', '/.box', '/run', '/dev/shm'):
    for folder, _, files in os.walk(root):
        for file in files:
            if root != '/proc' or file in ('environ', 'cmdline'):
                try:
                    if word in open(os.path.join(folder, file), 'rb').read():
                        print(folder, file)
                except OSError:
                    pass
"""
TRY = """
import json, socket, sys
answers = {}
for name, request in json.load(open('tricks.json')).items():
    with socket.create_connection(('127.0.0.1', 3128), 5) as s:
        s.settimeout(10)
        s.sendall(request.encode('utf-8', 'surrogateescape'))
        answers[name] = s.recv(200).decode('latin-1').split('\\r\\n')[0]
print(json.dumps(answers))
"""
SNI = """
import socket, ssl
s = socket.create_connection(('127.0.0.1', 3128), 5)
s.sendall(b'CONNECT allowed.test:443 HTTP/1.1\\r\\nHost: allowed.test:443\\r\\n\\r\\n')
print(s.recv(100).split()[1].decode())
context = ssl.create_default_context(); context.check_hostname = False; context.verify_mode = ssl.CERT_NONE
try:
    context.wrap_socket(s, server_hostname='other.test'); print('through')
except (OSError, ssl.SSLError):
    print('refused')
"""


@every_driver
async def test_every_trick_is_refused(name: str, data_dir: Path) -> None:
    outside = Outside()
    outside.names |= {"rebind.test": ["10.0.0.7"], "metadata.google.internal": ["169.254.169.254"]}
    async with world(name, data_dir, outside) as net:
        box = await net.box(OPEN)
        await box.write_file("tricks.json", json.dumps(TRICKS).encode())
        answers = json.loads((await python(box, TRY, timeout_s=60)).stdout)
        assert answers.keys() == TRICKS.keys()
        through = {trick: answer for trick, answer in answers.items() if not answer.startswith(("HTTP/1.1 4", "HTTP/1.1 501")) and answer}
        assert not through
        assert (await python(box, SNI)).stdout == b"200\nrefused\n"
        assert net.http.seen == net.https.seen == []


@every_driver
async def test_policy_changes_while_the_box_runs_and_cuts_what_it_refuses(name: str, data_dir: Path) -> None:
    async with world(name, data_dir) as net:
        net.http.replies = [Reply(chunks=(b"first",), ending="stall")]
        box = await net.box(ONE)
        fetch = "import urllib.request\nanswer = urllib.request.urlopen('http://allowed.test/')\nprint(answer.read(5), flush=True)\n"
        fetch += "try: print(answer.read())\nexcept Exception as error: print('cut', type(error).__name__)"
        async with box.start(Command(["python3", "-c", fetch])) as process:
            output = process.output()
            assert await anext(output) == ("stdout", b"b'first'\n")
            box.set_network(NetworkPolicy(mode="deny-all"))
            assert (await anext(output))[1].startswith(b"cut")
        net.http.replies = [Reply()]
        assert (await curl(box, "-x", "http://127.0.0.1:3128", "http://allowed.test/"))[1].startswith(b"allowed.test")
        box.set_network(OPEN)
        assert await curl(box, "http://allowed.test/") == (0, b"hello")


@every_driver
async def test_way_out_survives_a_freeze_and_a_new_server(name: str, data_dir: Path) -> None:
    async with world(name, data_dir, keep=True) as net:
        box = await net.box(ONE, attach_headers={"allowed.test": {"Authorization": SECRET}})
        for kind in (Freeze.WARM, Freeze.COLD):
            await box.freeze(kind)
            assert await curl(box, "https://allowed.test/") == (0, b"hello")
        await box.freeze(Freeze.COLD)
    async with world(name, data_dir) as net:
        again = net.driver.get(box.id)
        assert again.network == ONE
        assert await curl(again, "https://allowed.test/") == (0, b"hello")
        assert net.https.seen[0].header("authorization") == SECRET


@every_driver
async def test_download_of_sixty_megabytes_comes_through_whole(name: str, data_dir: Path) -> None:
    async with world(name, data_dir) as net:
        net.http.replies = [Reply(chunks=[bytes([number]) * 1_000_000 for number in range(60)])]
        box = await net.box(ONE)
        digest = "curl -sS http://allowed.test/ | sha256sum | cut -c1-64"
        expected = hashlib.sha256(b"".join(net.http.replies[0].chunks)).hexdigest()
        assert (await shell(box, digest, timeout_s=50)).stdout.decode().strip() == expected
