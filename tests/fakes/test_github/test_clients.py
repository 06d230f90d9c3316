"""Clients that other people wrote can work with it."""

from __future__ import annotations

from typing import Any

import httpx
from github import Auth, Github, GithubIntegration
from githubkit import AppAuthStrategy
from githubkit import GitHub as Kit

from tests.fakes.github import Fault, GitHub, Pull, Repository
from tests.fakes.test_github.clients import json_web_token

AT_ONCE: dict[str, Any] = {"seconds_between_requests": None, "seconds_between_writes": None}
"""PyGithub waits between requests unless it is told not to."""


async def test_githubkit_writes_a_review(github: GitHub, shop: Repository, pull: Pull) -> None:
    kit = Kit(AppAuthStrategy(str(github.app.id), github.app.private_key), base_url=github.api_url, auto_retry=False)
    installation = (await kit.arequest("GET", "/repos/acme/shop/installation")).json()
    async with kit.with_auth(kit.auth.as_installation(installation["id"])) as client:
        run = await client.rest.checks.async_create("acme", "shop", name="box-review", head_sha=pull.head_sha, status="in_progress")
        await client.rest.pulls.async_create_review(
            "acme", "shop", 1, event="COMMENT", body="what I found", comments=[{"path": "cart.py", "line": 10, "body": "here"}]
        )
        await client.rest.checks.async_update(
            "acme", "shop", run.json()["id"], status="completed", conclusion="success", output={"title": "Fine", "summary": "it is"}
        )
        files = (await client.rest.pulls.async_list_files("acme", "shop", 1)).json()
    assert [file["filename"] for file in files] == ["cart.py"]
    assert (pull.reviews[0].user.login, pull.check_runs[0].conclusion) == ("box-review[bot]", "success")


def test_pygithub_reads_what_was_posted(github: GitHub, shop: Repository, pull: Pull) -> None:
    pull.comment("ada", "/box review")
    pull.review_comment("ada", "cart.py", 10, "why?")
    pull.label("seen")
    reader = Github(base_url=github.api_url, auth=Auth.Token(github.user_token("ada")), **AT_ONCE)
    seen = reader.get_repo("acme/shop").get_pull(1)
    assert [comment.body for comment in seen.get_issue_comments()] == ["/box review"]
    assert [(comment.path, comment.line) for comment in seen.get_review_comments()] == [("cart.py", 10)]
    assert [file.filename for file in seen.get_files()] == ["cart.py"]
    assert (seen.user.login, [label.name for label in seen.labels], seen.additions) == ("ada", ["seen"], 2)
    assert reader.get_repo("acme/shop").get_collaborator_permission("ada") == "write"
    assert reader.get_user().login == "ada"
    reader.close()


def test_pygithub_works_as_an_app(github: GitHub, shop: Repository, pull: Pull) -> None:
    with GithubIntegration(base_url=github.api_url, auth=Auth.AppAuth(github.app.id, github.app.private_key), **AT_ONCE) as integration:
        place = integration.get_repo_installation("acme", "shop")
        assert place.id == shop.installation_id
        client = place.get_github_for_installation()
        client.get_repo("acme/shop").get_pull(1).create_review(body="fine", event="APPROVE")
        client.close()
    assert pull.reviews[0].state == "APPROVED"


async def test_it_answers_in_this_process_without_a_socket(github: GitHub, shop: Repository, pull: Pull) -> None:
    headers = {"Authorization": f"Bearer {json_web_token(github.app)}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(github.asgi), base_url=github.api_url, headers=headers) as client:
        assert (await client.get("/app")).json()["slug"] == "box-review"
        github.faults.add("GET", "/app", Fault.CUT_BEFORE)
        try:
            await client.get("/app")
        except httpx.RemoteProtocolError:
            return
    raise AssertionError("the connection was not cut")
