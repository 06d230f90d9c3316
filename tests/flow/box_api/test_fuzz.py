"""Whatever a caller sends is answered, and never with a failure of the server's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from tests.server import Server

KEY = {"X-Box-Api-Key": "box_two"}
EXAMPLES = int(os.environ.get("TEST_FUZZ_EXAMPLES", "10"))
FUZZ = settings(
    max_examples=EXAMPLES, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck), derandomize=True
)  # fmt: skip


@pytest.fixture(scope="module")
def target(served: Server) -> Iterator[str]:
    """A box that takes whatever comes; all that was made goes afterwards."""
    body = {"agent": "custom", "custom_runner": {"command": "true"}}
    with httpx.Client(base_url=served.url, headers=KEY, trust_env=False, timeout=30) as client:
        yield str(client.post("/v2/box", json=body).json()["id"])
        while boxes := client.get("/v2/box").json():
            client.request("DELETE", "/v2/box", json={"ids": [box["id"] for box in boxes[:100]]})
        client.request("DELETE", "/v2/box/snapshots", json={})


@pytest.mark.timeout(400)
def test_no_request_makes_the_server_fail(served: Server, target: str) -> None:
    schema = schemathesis.openapi.from_dict(httpx.get(f"{served.url}/openapi.json", trust_env=False).json())
    operations = [result.ok() for result in schema.get_all_operations()]
    boxes = [operation for operation in operations if operation.path.startswith("/v2/")]
    assert len(boxes) > 60
    for operation in boxes:
        # what deletes the target would leave nothing to try
        box_id = "bx0000000000000000" if (operation.method.upper(), operation.path) == ("DELETE", "/v2/box/{box_id}") else target
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            _try(operation, mode, served.url, box_id)


def _try(operation: Any, mode: GenerationMode, url: str, box_id: str) -> None:
    @FUZZ
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case: Any) -> None:
        if "box_id" in (case.path_parameters or {}):
            case.path_parameters["box_id"] = box_id
        answer = case.call(base_url=url, headers=KEY, timeout=30, allow_redirects=False)
        assert answer.status_code < 500 or answer.status_code == 501, f"{case.as_curl_command()}: {answer.status_code} {answer.text[:300]}"
        if answer.status_code >= 400:
            assert "error" in answer.json(), f"{case.as_curl_command()}: {answer.text[:300]}"

    run()


TEXTS = st.text(max_size=40) | st.sampled_from(
    ["", ".", "..", "../" * 8 + "etc/passwd", "/proc/self/root/etc", "a\0b", "-rf", "a/../../b", "%2e%2e/"]
)
PATHS = st.lists(TEXTS, min_size=1, max_size=3).map("/".join)


@FUZZ
@given(path=PATHS, name=st.sampled_from(["read", "list", "stat", "download"]))
def _read(url: str, box_id: str, path: str, name: str) -> None:
    parameter = "folder" if name in ("list", "download") else "path"
    answer = httpx.get(f"{url}/v2/box/{box_id}/files/{name}", params={parameter: path}, headers=KEY, trust_env=False, timeout=30)
    assert answer.status_code in (200, 400, 403, 404)
    assert b"root:x:0:0:root:/root:/bin/bash" not in answer.content  # of the host; the box has users of its own


@FUZZ
@given(old=PATHS, new=PATHS, content=st.binary(max_size=100))
def _write(url: str, box_id: str, old: str, new: str, content: bytes) -> None:
    about = {"headers": KEY, "trust_env": False, "timeout": 30}
    base = f"{url}/v2/box/{box_id}/files"
    written = httpx.post(f"{base}/write", json={"path": old, "content": content.decode("latin-1")}, **about)  # type: ignore[arg-type]
    moved = httpx.post(f"{base}/rename", json={"from": old, "to": new}, **about)  # type: ignore[arg-type]
    assert {written.status_code, moved.status_code} <= {200, 400, 403, 404}
    if (written.status_code, moved.status_code) == (200, 200) and old != new:
        assert httpx.get(f"{base}/read", params={"path": new}, **about).json()["content"] == content.decode("latin-1")  # type: ignore[arg-type]


@pytest.mark.parametrize("property_", [_read, _write])
def test_paths_of_any_kind_stay_in_the_box(served: Server, target: str, property_: Any) -> None:
    property_(url=served.url, box_id=target)
