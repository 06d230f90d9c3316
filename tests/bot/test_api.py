"""The HTTP front against hostile and mistaken clients; a real server answers."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from box_review.client import AsyncClient, Options

from bot.errors import Misconfigured
from bot.keys import Keys, own_key
from bot.settings import BotSettings
from tests.repositories import Repository
from tests.server import Server

REQUEST = {"repository": "x", "source": "0" * 64, "base_sha": "1" * 40, "head_sha": "2" * 40}


@pytest_asyncio.fixture
async def http(server: Server) -> AsyncIterator[httpx.AsyncClient]:
    """A client with the server's key."""
    async with httpx.AsyncClient(base_url=server.address.url, headers={"X-Box-Api-Key": server.address.api_key}, timeout=10) as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", f"/v1/sources/{'0' * 64}"), ("POST", "/v1/reviews"), ("GET", "/v1/reviews/rv-x"), ("DELETE", "/v1/reviews/rv-x"),
        ("GET", "/v1/reviews/rv-x/events"), ("POST", "/v1/reviews/rv-x/replay"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("key", [None, "", "wrong"], ids=["none", "empty", "wrong"])
async def test_nothing_is_answered_without_a_key(server: Server, method: str, path: str, key: str | None) -> None:
    headers = {} if key is None else {"X-Box-Api-Key": key}
    async with httpx.AsyncClient(base_url=server.address.url) as client:
        answer = await client.request(method, path, headers=headers)
    assert (answer.status_code, "API key" in answer.json()["error"]) == (401, True)


async def test_archive_under_another_digest_is_refused_and_not_kept(http: httpx.AsyncClient, server: Server) -> None:
    digest = hashlib.sha256(b"this").hexdigest()
    answer = await http.put(f"/v1/sources/{digest}", content=b"that")
    assert answer.status_code == 422
    assert (await http.head(f"/v1/sources/{digest}")).status_code == 404


@pytest.mark.parametrize("name", ["../../etc/passwd", "0" * 63, "0" * 64 + "/x", "%2e%2e"])
async def test_archive_name_leads_out_of_the_store(http: httpx.AsyncClient, name: str) -> None:
    assert (await http.put(f"/v1/sources/{name}", content=b"x")).status_code in (404, 405, 422)


@pytest.mark.parametrize("name", ["rv-nope", "rv-../../x", "x", "rv-" + "0" * 200, "rv-%00"])
async def test_unknown_review_is_not_found(http: httpx.AsyncClient, name: str) -> None:
    for path in (f"/v1/reviews/{name}", f"/v1/reviews/{name}/events"):
        assert (await http.get(path)).status_code in (404, 422)
    assert (await http.post(f"/v1/reviews/{name}/replay")).status_code in (404, 422)


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({}, 409, "was not uploaded"), ({"roles": ["poetry"]}, 422, "architecture, quality, security"),
        ({"harness": "oracle"}, 422, "static"),
        ({"driver": "vmware"}, 422, "bubblewrap"), ({"roles": ["security", "security"]}, 422, "twice"),
        ({"timeout_s": 0}, 422, "timeout_s"),
        ({"base_sha": "main"}, 422, "base_sha"), ({"surprise": 1}, 422, "surprise"),
    ],
    ids=["source", "role", "harness", "driver", "twice", "timeout", "sha", "field"],
)  # fmt: skip
async def test_request_that_cannot_be_served_is_refused_in_words(
    http: httpx.AsyncClient, change: dict[str, object], status: int, said: str
) -> None:
    answer = await http.post("/v1/reviews", json=REQUEST | change)
    assert (answer.status_code, said in answer.json()["error"]) == (status, True), answer.text


async def test_server_says_when_it_is_ready(http: httpx.AsyncClient) -> None:
    assert (await http.get("/healthz")).status_code == 200
    assert (await http.get("/readyz")).json() == {"status": "ok"}


def test_api_key_is_for_its_user_alone(server: Server) -> None:
    assert (server.data_dir / "api-key").stat().st_mode & 0o777 == 0o600


def test_keys_come_from_the_environment_without_being_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BOX_API_KEYS", "alpha-key, beta-key,")
    settings = BotSettings(box_data_dir=tmp_path)
    assert [key.get_secret_value() for key in settings.box_api_keys] == ["alpha-key", "beta-key"]
    assert "alpha-key" not in repr(settings)


async def test_body_is_read_before_the_key_is_looked_at(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.address.url, timeout=5) as client:
        answer = await client.post("/v1/reviews", content=b"{" * 5_000_000)
    assert answer.status_code == 401


async def test_request_without_end_is_refused(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/reviews", content=b" " * 70_000)
    assert answer.status_code == 413


async def test_empty_key_file_opens_the_server(tmp_path: Path) -> None:
    assert await Keys([""]).caller(None) is None
    assert await Keys([""]).caller("") is None
    (tmp_path / "api-key").touch()
    with pytest.raises(Misconfigured, match="api-key is empty"):
        own_key(tmp_path)


def test_key_is_made_once_and_then_kept(tmp_path: Path) -> None:
    assert own_key(tmp_path) == own_key(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["api-key"]


def test_sources_and_findings_are_closed_to_other_users(server: Server) -> None:
    assert (server.data_dir / "artifacts").stat().st_mode & 0o777 == 0o700


async def test_review_of_another_tenant_is_not_there(
    http: httpx.AsyncClient, server: Server, repository: Callable[..., Repository]
) -> None:
    """Threat: somebody who was given an id, or guessed one, and has a key of his own."""
    async with AsyncClient(server.address) as client:
        record = await client.review(repository({"x": "1"}, {"a.py": "x = 1\n"}).path, options=Options(roles=("quality",)))
    made = (await http.post("/v1/keys", json={"name": "other", "new_tenant": True})).json()
    other = {"X-Box-Api-Key": made["secret"]}
    path = f"/v1/reviews/{record.review_id}"
    for method, place in (("GET", path), ("GET", f"{path}/events"), ("DELETE", path), ("POST", f"{path}/replay")):
        answer = await http.request(method, place, headers=other)
        assert (answer.status_code, answer.json()) == (404, {"error": f"no review '{record.review_id}'"})
    request = REQUEST | {"before": record.review_id, "source": "0" * 64}
    answer = await http.post("/v1/reviews", json=request, headers=other)
    assert answer.status_code in (404, 409)
    assert (await http.get(path)).status_code == 200
