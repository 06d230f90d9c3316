"""`box-review replay`: what was measured, measured again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from box_review import RequestRejected, ReviewRecord
from box_review.client import Client, Options

from tests.conftest import short_folder
from tests.fakes.models import ModelServer
from tests.flow.test_agents import by_role
from tests.repositories import BAD, Repository, shop
from tests.server import Ended, Server, box_review


@dataclass(frozen=True)
class Replayed:
    """A finished review of a server whose models would notice being asked."""

    server: Server
    models: ModelServer
    record: ReviewRecord
    source: Path

    def again(self, *options: str) -> Ended:
        where = {"BOX_REVIEW_URL": self.server.url, "BOX_REVIEW_API_KEY": self.server.address.api_key}
        return box_review("replay", self.record.review_id, *options, **where)

    def handed_over(self, role: str) -> Path:
        """What a reviewer handed over to the jury, where the server keeps it."""
        return self.server.data_dir / "artifacts" / "reviews" / self.record.review_id / "roles" / f"{role}.json"


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replayed]:
    path = shop(tmp_path_factory.mktemp("replay"), run=BAD)
    for folder in short_folder():
        with ModelServer(by_role) as models, Server(folder / "data", **models.environment, BOX_MODEL="openai/scripted") as server:
            with Client(server.address) as client:
                record = client.review(path)
            assert record.status == "completed", record.model_dump_json(indent=1)
            [source] = (server.data_dir / "artifacts" / "sources").iterdir()
            yield Replayed(server, models, record, source)


def test_replay_comes_to_the_same_without_a_model(reviewed: Replayed) -> None:
    before, record = len(reviewed.models.asked), reviewed.record
    with Client(reviewed.server.address) as client:
        again = client.replay(record.review_id)
    assert len(reviewed.models.asked) == before
    assert (again.replays, again.status, again.conclusion) == (record.review_id, record.status, record.conclusion)
    assert (again.usage.input_tokens, again.usage.cost_usd) == (0, 0.0)
    assert [finding.model_dump() for finding in again.findings] == [finding.model_dump() for finding in record.findings]
    assert [item.reason for item in again.dropped] == [item.reason for item in record.dropped]
    assert again.jury is not None
    assert record.jury is not None
    assert (again.jury.votes, again.jury.proofs, again.jury.rechecked) == (record.jury.votes, record.jury.proofs, record.jury.rechecked)
    assert all(not report.box_id and not report.session_id for report in again.roles)
    assert again.jury.box is not None
    assert record.jury.box is not None
    assert again.jury.box.box_id != record.jury.box.box_id


def test_command_line_says_that_all_came_out_as_before(reviewed: Replayed) -> None:
    told = reviewed.again()
    number = len(reviewed.record.findings) + len(reviewed.record.dropped)
    assert told.code == 0, told.err
    assert f"all {number} findings came out as before" in told.out
    assert "2 reproducers run again" in told.out
    assert "jury" in told.err
    assert reviewed.again("--json", "-q") == Ended(0, "", "")


def test_what_comes_out_otherwise_is_shown(reviewed: Replayed) -> None:
    """The reproducer that proved a finding does not fail any more, and an analyzer's result is nowhere."""
    file = reviewed.handed_over("quality")
    kept = file.read_text()
    said = json.loads(kept)
    for finding in said["findings"]:
        if finding["title"] == "The first price is left out":
            finding["reproducer"]["script"] = "true"
        for item in finding["evidence"]:
            item["rule"] = "S999"
    file.write_text(json.dumps(said))
    try:
        told, as_json = reviewed.again("-q"), reviewed.again("-q", "--json")
    finally:
        file.write_text(kept)
    [proven] = [finding for finding in reviewed.record.findings if finding.title == "The first price is left out"]
    assert (told.code, as_json.code) == (1, 1), told.err
    assert (
        f"{proven.id}  cart.py:2  The first price is left out\n    before: critical, proven, folded\n    now:    dropped (refuted"
        in told.out
    )
    lines = {line["finding"]: line for line in map(json.loads, as_json.out.splitlines())}
    assert lines[proven.id]["before"] == "critical, proven, folded"
    assert f"{len(lines)} of " in told.out


def test_replay_of_a_lost_result_is_incomplete_and_says_so(reviewed: Replayed) -> None:
    file = reviewed.handed_over("security")
    kept = file.read_bytes()
    file.unlink()
    try:
        told = reviewed.again("-q")
    finally:
        file.write_bytes(kept)
    assert told.code == 3
    assert "its findings are lost" in told.out
    assert "Traceback" not in told.err


def test_what_cannot_be_replayed_is_told(reviewed: Replayed, tmp_path: Path) -> None:
    nothing = box_review(
        "replay", "rv-0000000000000000", BOX_REVIEW_URL=reviewed.server.url, BOX_REVIEW_API_KEY=reviewed.server.address.api_key
    )
    assert (nothing.code, "no review 'rv-0000000000000000'" in nothing.err) == (3, True), nothing
    with Client(reviewed.server.address) as client:
        again = client.replay(reviewed.record.review_id)
        with pytest.raises(RequestRejected, match=f"is a replay itself; replay {reviewed.record.review_id}"):
            client.replay(again.review_id)
        made = Repository(tmp_path / "slow")
        made.commit({"a": "1"})
        made.commit({"a": "2"})
        late = client.review(made.path, options=Options(roles=("quality",), timeout_s=0.001, harness="builtin"))
        with pytest.raises(RequestRejected, match="came to no result that could be measured again"):
            client.replay(late.review_id)


def test_review_under_way_and_one_without_its_source_are_not_replayed(reviewed: Replayed) -> None:
    address, source = reviewed.server.address, reviewed.source
    with httpx.Client(base_url=address.url, headers={"X-Box-Api-Key": address.api_key}, timeout=10) as http:
        request = {
            "repository": "x", "source": source.name.partition(".")[0], "base_sha": reviewed.record.base_sha,
            "head_sha": reviewed.record.head_sha, "roles": ["security"], "harness": "static",
        }  # fmt: skip
        ident = http.post("/v1/reviews", json=request).json()["review_id"]
        early = http.post(f"/v1/reviews/{ident}/replay")
        assert (early.status_code, "is not over" in early.json()["error"]) == (409, True), early.text
        http.delete(f"/v1/reviews/{ident}")
        away = source.rename(source.with_name("away"))
        gone = http.post(f"/v1/reviews/{reviewed.record.review_id}/replay")
        away.rename(source)
        assert (gone.status_code, "is not kept any more" in gone.json()["error"]) == (409, True), gone.text
