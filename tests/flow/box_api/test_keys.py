"""API keys that are made, and the record of who called."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import httpx
import pytest
from box_review.client import Address
from box_review.errors import RequestRejected
from box_review.keys import Key, KeyClient, NewKey
from upstash_box import Box, BoxError
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.server import Server, box_review


@pytest.fixture
def keys(served: Server) -> Iterator[KeyClient]:
    """Keys of the first tenant; all go afterwards."""
    client = KeyClient(Address(served.url, "box_one"))
    yield client
    for key in client.list():
        client.remove(key.id)


def _made(keys: KeyClient, **wanted: object) -> Key:
    return keys.make(NewKey(**wanted))  # type: ignore[arg-type]


def test_key_of_the_same_tenant_sees_its_boxes_and_one_of_a_new_tenant_does_not(box: Box, keys: KeyClient) -> None:
    same, other = _made(keys, name="same"), _made(keys, name="other", new_tenant=True)
    assert [key.name for key in keys.list()] == ["same", "other"]
    assert [key.secret for key in keys.list()] == [None, None]
    assert box.id in [listed.id for listed in Box.list(api_key=same.secret)]
    assert Box.list(api_key=other.secret) == []
    keys.remove(same.id)
    with pytest.raises(BoxError) as gone:
        Box.list(api_key=same.secret)
    assert gone.value.status_code == 401


def test_key_that_may_only_read_changes_nothing(box: Box, keys: KeyClient, served: Server) -> None:
    secret = _made(keys, read_only=True).secret or ""
    reader = Box.get(box.id, api_key=secret)
    assert reader.get_status()["status"] == "idle"
    for change in (reader.pause, reader.delete, lambda: reader.exec.command("true"), lambda: Box.create(api_key=secret)):
        with pytest.raises(BoxError) as refused:
            change()
        assert refused.value.status_code == 403
    url = f"{served.url}/v2/box/{box.id}/exec-session".replace("http", "ws", 1)
    with pytest.raises(InvalidStatus) as denied, connect(url, additional_headers={"X-Box-Api-Key": secret}, proxy=None):
        pass
    assert denied.value.response.status_code == 403
    assert httpx.get(f"{served.url}/v1/reviews/rv-x", headers={"X-Box-Api-Key": secret}, trust_env=False).status_code == 404
    assert httpx.post(f"{served.url}/v1/reviews", headers={"X-Box-Api-Key": secret}, trust_env=False).status_code == 403


def test_key_past_its_time_is_accepted_no_more(keys: KeyClient, account: None) -> None:
    secret = _made(keys, expires_in_s=1).secret
    Box.list(api_key=secret)
    with pytest.raises(BoxError) as late:
        for _ in range(30):
            Box.list(api_key=secret)
            time.sleep(0.1)
    assert late.value.status_code == 401


def test_key_that_was_made_makes_no_others_and_nobody_removes_another_tenants(keys: KeyClient, served: Server) -> None:
    made = _made(keys)
    for key, status in ((made.secret or "", 403), ("wrong", 401)):
        with pytest.raises(RequestRejected) as refused:
            KeyClient(Address(served.url, key)).make(NewKey())
        assert refused.value.status_code == status
    stranger = KeyClient(Address(served.url, "box_two"))
    assert stranger.list() == []
    with pytest.raises(RequestRejected) as unknown:
        stranger.remove(made.id)
    assert unknown.value.status_code == 404


def test_every_call_is_in_the_audit_log_without_its_key(box: Box, keys: KeyClient, served: Server) -> None:
    secret = _made(keys).secret or ""
    Box.get(box.id, api_key=secret)
    httpx.get(f"{served.url}/v2/box?label=hidden-word", headers={"X-Box-Api-Key": "wrong-key"}, trust_env=False)
    text = (served.data_dir / "audit.jsonl").read_text()
    assert secret not in text and "wrong-key" not in text and "hidden-word" not in text
    lines = [json.loads(line) for line in text.splitlines()]
    called = next(line for line in reversed(lines) if line["path"] == f"/v2/box/{box.id}" and line["method"] == "GET")
    assert (called["status"], called["key"], called["from"]) == (200, keys.list()[0].id, "127.0.0.1")
    refused = [line for line in lines if line["path"] == "/v2/box" and line["status"] == 401]
    assert refused[-1]["tenant"] is None
    assert (served.data_dir / "audit.jsonl").stat().st_mode & 0o077 == 0


def test_keys_are_managed_from_the_command_line(served: Server) -> None:
    where = {"BOX_REVIEW_URL": served.url, "BOX_REVIEW_API_KEY": "box_one"}
    made = box_review("keys", "create", "--name", "ci", "--read-only", "--expires", "30", **where)
    assert made.code == 0 and made.out.startswith("box_")
    listed = json.loads(box_review("keys", "ls", "--json", **where).out)
    assert (listed["name"], listed["read_only"]) == ("ci", True)
    assert "ci" in box_review("keys", "ls", **where).out
    assert box_review("keys", "rm", listed["id"], **where).code == 0
    again = box_review("keys", "rm", listed["id"], **where)
    assert (again.code, "no key" in again.err) == (2, True)
    assert box_review("keys", "ls", **{**where, "BOX_REVIEW_API_KEY": "nonsense"}).code == 2
