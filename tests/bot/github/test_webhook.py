"""Deliveries at the door: only true ones come in, each once, and none takes the receiver down."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from arq.connections import ArqRedis
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bot.app import create_app
from bot.github.state import OPEN, Pulls
from bot.github.webhook import MAX_BYTES, PATH
from bot.settings import BotSettings
from tests.conftest import Valkey
from tests.fakes.github.examples import event_names, examples

SECRET = "a secret of the webhook"
OPENED = {
    "action": "opened",
    "installation": {"id": 5},
    "repository": {"id": 9, "name": "shop", "owner": {"login": "acme"}},
    "pull_request": {"number": 3},
}


def signed(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@pytest.fixture(scope="module")
def private_key() -> str:
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


@pytest_asyncio.fixture
async def http(valkey: Valkey, data_dir: Path, private_key: str) -> AsyncIterator[httpx.AsyncClient]:
    """The receiver of a configured App."""
    settings = BotSettings(
        redis_url=valkey.url, box_data_dir=data_dir, app_id=7, private_key=private_key, webhook_secret=SECRET, box_audit_log="off"
    )
    app = create_app(settings)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://x") as client,
    ):
        yield client


async def deliver(http: httpx.AsyncClient, body: Any, name: str = "pull_request", **headers: str) -> httpx.Response:
    """Send a delivery as GitHub does."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    usual = {"X-GitHub-Event": name, "X-GitHub-Delivery": str(uuid.uuid4()), "X-Hub-Signature-256": signed(raw)}
    return await http.post(PATH, content=raw, headers={name: value for name, value in (usual | headers).items() if value})


async def test_true_delivery_is_kept_and_its_pull_request_opened(http: httpx.AsyncClient, redis: ArqRedis) -> None:
    answer = await deliver(http, OPENED)
    assert (answer.status_code, answer.json()) == (202, {"accepted": "look"})
    assert await redis.zrange(OPEN, 0, -1) == [b"9:3"]
    assert await redis.llen("box:github:pull:9:3:inbox") == 1  # type: ignore[misc]


async def test_replayed_delivery_is_no_second_event(http: httpx.AsyncClient, redis: ArqRedis) -> None:
    guid = {"X-GitHub-Delivery": str(uuid.uuid4())}
    await deliver(http, OPENED, **guid)
    assert "known" in (await deliver(http, OPENED, **guid)).json()
    assert await redis.llen("box:github:pull:9:3:inbox") == 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"X-Hub-Signature-256": ""}, "not signed"),
        ({"X-Hub-Signature-256": "", "X-Hub-Signature": "sha1=" + "0" * 40}, "only the SHA-1"),
        ({"X-Hub-Signature-256": "sha256=" + "0" * 64}, "does not fit"),
        ({"X-Hub-Signature-256": signed(b"another body")}, "does not fit"),
        ({"X-Hub-Signature-256": signed(json.dumps(OPENED).encode(), "another secret")}, "does not fit"),
        ({"X-Hub-Signature-256": signed(json.dumps(OPENED).encode())[7:]}, "does not fit"),
        ({"X-Hub-Signature-256": "sha256=\xe4"}, "does not fit"),
    ],
    ids=["none", "legacy", "zeros", "other body", "other secret", "no prefix", "no ascii"],
)
async def test_delivery_with_a_wrong_signature_is_refused(
    http: httpx.AsyncClient, redis: ArqRedis, headers: dict[str, str], said: str
) -> None:
    raw = {name: value.encode("latin-1") for name, value in headers.items() if value}
    body = json.dumps(OPENED).encode()
    usual = {"X-GitHub-Event": b"pull_request", "X-GitHub-Delivery": str(uuid.uuid4()).encode()}
    answer = await http.post(PATH, content=body, headers=usual | raw)
    assert (answer.status_code, said in answer.json()["error"]) == (401, True)
    assert await redis.zcard(OPEN) == 0


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff\xfe", b'"x"', b'{"pull_request": []}', b'{"action": {}}', b"[" * 100_000])
async def test_signed_nonsense_is_refused_with_a_sentence(http: httpx.AsyncClient, body: bytes) -> None:
    answer = await deliver(http, body)
    assert (answer.status_code, "cannot be read" in answer.json()["error"]) == (400, True)


@pytest.mark.parametrize("headers", [{"X-GitHub-Event": ""}, {"X-GitHub-Delivery": ""}, {"X-GitHub-Delivery": "x y"}])
async def test_delivery_without_its_headers_is_refused(http: httpx.AsyncClient, headers: dict[str, str]) -> None:
    assert (await deliver(http, OPENED, **headers)).status_code == 400


async def test_body_beyond_what_github_sends_is_refused(http: httpx.AsyncClient) -> None:
    assert (await deliver(http, b" " * (MAX_BYTES + 1))).status_code == 413


async def test_unknown_events_are_taken_and_left_alone(http: httpx.AsyncClient, redis: ArqRedis) -> None:
    answer = await deliver(http, {"action": "x"}, "star")
    assert (answer.status_code, "ignored" in answer.json()) == (202, True)
    assert (await deliver(http, {"zen": "x"}, "ping")).json() == {"ignored": "pong"}
    assert await redis.zcard(OPEN) == 0


async def test_every_example_of_githubs_is_answered_with_202(http: httpx.AsyncClient) -> None:
    for name in event_names():
        for payload in examples(name):
            assert (await deliver(http, payload, name)).status_code == 202, name


async def test_pull_request_that_is_flooded_takes_no_more_than_its_inbox_holds(http: httpx.AsyncClient, redis: ArqRedis) -> None:
    pulls = Pulls(redis)
    await redis.rpush("box:github:pull:9:3:inbox", *["{}"] * 1000)  # type: ignore[misc]
    assert "known" in (await deliver(http, OPENED)).json() or await redis.llen("box:github:pull:9:3:inbox") == 1000  # type: ignore[misc]
    assert await pulls.open() == []


async def test_server_without_an_app_says_so(valkey: Valkey, data_dir: Path) -> None:
    app = create_app(BotSettings(redis_url=valkey.url, box_data_dir=data_dir, box_audit_log="off"))
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as http:
        answer = await deliver(http, OPENED)
    assert (answer.status_code, "/setup" in answer.json()["error"]) == (503, True)


async def test_outage_of_the_queue_is_no_success(http: httpx.AsyncClient, valkey: Valkey) -> None:
    valkey.stop()
    assert (await deliver(http, OPENED)).status_code == 503
    valkey.start()
    assert (await deliver(http, OPENED)).status_code == 202


@pytest.mark.parametrize("module", ["bot", "bot.github"])
def test_half_an_app_is_a_sentence_and_no_traceback(module: str, data_dir: Path) -> None:
    where = {**os.environ, "BOX_DATA_DIR": str(data_dir), "APP_ID": "5"}
    ended = subprocess.run([sys.executable, "-m", module], capture_output=True, text=True, env=where, timeout=30, check=False)
    assert (ended.returncode, ended.stderr) == (2, f"{module}: PRIVATE_KEY and WEBHOOK_SECRET must be set too, where APP_ID is\n")
