"""Check runs and uploaded analyses."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from tests.fakes.github import GitHub, Pull, Repository
from tests.fakes.test_github.clients import Client


def run(bot: Client, pull: Pull, **more: Any) -> Any:
    return bot.create("/check-runs", name="box-review", head_sha=pull.head_sha, **more)


def marks(count: int, **more: Any) -> list[dict[str, Any]]:
    one = {"path": "cart.py", "start_line": 1, "end_line": 1, "annotation_level": "warning", "message": "here", **more}
    return [one] * count


def output(count: int = 0, **more: Any) -> dict[str, Any]:
    return {"title": "Findings", "summary": "one", "annotations": marks(count, **more)}


def test_check_run_goes_from_progress_to_a_conclusion(bot: Client, pull: Pull) -> None:
    made = run(bot, pull, status="in_progress", external_id="review:1")
    assert (made["status"], made["conclusion"], made["completed_at"], made["external_id"]) == ("in_progress", None, None, "review:1")
    done = bot.patch(f"/check-runs/{made['id']}", json={"conclusion": "neutral", "output": output()}).json()
    assert (done["status"], done["conclusion"], done["completed_at"] is None) == ("completed", "neutral", False)
    assert bot.json_of(f"/check-runs/{made['id']}")["external_id"] == "review:1"
    (seen,) = pull.check_runs
    assert (seen.conclusion, seen.title) == ("neutral", "Findings")
    assert made["pull_requests"][0]["number"] == pull.number


def test_run_of_a_fork_names_no_pull_request(shop: Repository, bot: Client) -> None:
    shop.fork("mallory").commit("evil", {"x.py": "x\n"})
    assert run(bot, shop.pull(user="mallory", head="mallory:evil"))["pull_requests"] == []


@pytest.mark.parametrize(
    "asked",
    [{"status": "completed"}, {"status": "in_progress", "conclusion": "success"}, {"output": output(1, start_line=2)},
     {"output": output(1, end_line=2, start_column=1)}, {"head_sha": "1" * 40}, {"head_sha": "main"}],
    ids=["completed with no conclusion", "conclusion too early", "ends before it starts", "columns", "no such commit", "branch"],
)  # fmt: skip
def test_check_run_that_cannot_be_is_refused(bot: Client, pull: Pull, asked: dict[str, Any]) -> None:
    answer = bot.post("/check-runs", json={"name": "box-review", "head_sha": pull.head_sha, **asked})
    assert answer.status_code == 422
    assert not pull.check_runs


@pytest.mark.parametrize(
    "asked",
    [{"status": "donee"}, {"conclusion": "great"}, {"output": output(51)}, {"output": {"title": "x", "summary": "x" * 65_536}},
     {"output": {"title": "x"}}],
    ids=["status", "conclusion", "fifty-one annotations", "summary", "no summary"],
)  # fmt: skip
def test_what_breaks_the_description_is_refused_and_kept_in_mind(github: GitHub, bot: Client, pull: Pull, asked: dict[str, Any]) -> None:
    answer = bot.post("/check-runs", json={"name": "box-review", "head_sha": pull.head_sha, **asked})
    assert answer.status_code == 422
    assert all("checks/create: the request is wrong" in problem for problem in github.problems)
    assert github.problems
    github.problems.clear()


def test_annotations_add_up_over_requests(bot: Client, pull: Pull) -> None:
    made = run(bot, pull, output=output(50))
    told = bot.patch(f"/check-runs/{made['id']}", json={"output": output(30)}).json()
    assert told["output"]["annotations_count"] == 80
    assert len(bot.json_of(f"/check-runs/{made['id']}/annotations", params={"per_page": 100})) == 80


def test_only_the_app_that_made_a_check_run_changes_it(github: GitHub, shop: Repository, bot: Client, pull: Pull) -> None:
    made = run(bot, pull)
    with Client(github, github.token(shop, {"checks": "write"}), "/repos/acme/shop") as workflow, Client.of_user(shop, "ada") as ada:
        assert workflow.patch(f"/check-runs/{made['id']}", json={"conclusion": "success"}).status_code == 403
        assert run(workflow, pull)["app"]["slug"] == "github-actions"
        assert ada.post("/check-runs", json={"name": "x", "head_sha": pull.head_sha}).status_code == 403


def test_check_runs_of_a_commit_are_the_latest_of_each_name(bot: Client, pull: Pull) -> None:
    first, second = run(bot, pull), run(bot, pull)
    bot.create("/check-runs", name="other", head_sha=pull.head_sha)
    path = f"/commits/{pull.head_sha}/check-runs"
    told = bot.json_of(path, params={"check_name": "box-review"})
    assert (told["total_count"], told["check_runs"][0]["id"]) == (1, second["id"])
    assert bot.json_of(path, params={"filter": "all", "check_name": "box-review"})["total_count"] == 2
    assert bot.json_of("/commits/topic/check-runs")["total_count"] == 2
    assert first["check_suite"] == second["check_suite"]
    suite = bot.json_of(f"/commits/{pull.head_sha}/check-suites")["check_suites"][0]
    assert (suite["id"], suite["latest_check_runs_count"]) == (first["check_suite"]["id"], 3)
    assert bot.json_of(f"/check-suites/{suite['id']}/check-runs")["total_count"] == 2


def packed(document: Any) -> str:
    return base64.b64encode(gzip.compress(json.dumps(document).encode())).decode()


def upload(bot: Client, pull: Pull, **more: Any) -> Any:
    sarif = packed({"version": "2.1.0", "runs": [{"results": []}]})
    return bot.post("/code-scanning/sarifs", json={"commit_sha": pull.head_sha, "ref": "refs/pull/1/head", "sarif": sarif, **more})


def test_analysis_is_taken_and_told_of(shop: Repository, pull: Pull) -> None:
    with Client.of_installation(shop, {"contents": "read"}) as reader:
        assert upload(reader, pull).status_code == 403
    with Client.of_installation(shop, {"security_events": "write"}) as writer:
        made = upload(writer, pull)
        assert made.status_code == 202
        assert writer.json_of(f"/code-scanning/sarifs/{made.json()['id']}")["processing_status"] == "complete"
        failed = upload(writer, pull, sarif=packed({"version": "2.0.0", "runs": []})).json()
        assert writer.json_of(f"/code-scanning/sarifs/{failed['id']}")["processing_status"] == "failed"
    assert [sarif.document["version"] for sarif in shop.sarifs] == ["2.1.0", "2.0.0"]


@pytest.mark.parametrize(
    ("asked", "status"),
    [({"sarif": "nothing"}, 400), ({"sarif": base64.b64encode(b"{}").decode()}, 400), ({"ref": "refs/topic"}, 422),
     ({"commit_sha": "1" * 40}, 404)],
    ids=["not base64", "not compressed", "ref", "commit"],
)  # fmt: skip
def test_analysis_that_cannot_be_read_is_refused(github: GitHub, shop: Repository, pull: Pull, asked: dict[str, Any], status: int) -> None:
    with Client.of_installation(shop, {"security_events": "write"}) as writer:
        assert upload(writer, pull, **asked).status_code == status
    github.problems.clear()


def test_private_repository_may_have_no_code_scanning(shop: Repository, pull: Pull) -> None:
    shop.code_scanning = False
    with Client.of_installation(shop, {"security_events": "write"}) as writer:
        assert "must be enabled" in upload(writer, pull).json()["message"]
