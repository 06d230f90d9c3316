"""Reviews, comments at lines, and the conversation."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.github import GitHub, Pull, Repository
from tests.fakes.test_github.clients import Client


def review(bot: Client, *comments: dict[str, Any], **more: Any) -> Any:
    return bot.post("/pulls/1/reviews", json={"event": "COMMENT", "body": "what I found", "comments": list(comments), **more})


def at(line: int | None = None, **more: Any) -> dict[str, Any]:
    """A comment in `cart.py`, whose lines 7 to 13 and 37 to 43 are shown."""
    return {"path": "cart.py", "body": "here", **({} if line is None else {"line": line}), **more}


@pytest.mark.parametrize(
    "comment",
    [
        at(10), at(7), at(13), at(43), at(10, side="LEFT"), at(12, start_line=10), at(12, start_line=8, start_side="LEFT"),
        at(position=1), at(position=5),
    ],
    ids=["changed", "first around", "last around", "second hunk", "old", "many", "from old to new", "position", "position of the new line"],
)  # fmt: skip
def test_comment_stands_at_a_line_that_the_diff_shows(bot: Client, pull: Pull, comment: dict[str, Any]) -> None:
    answer = review(bot, comment)
    assert answer.status_code == 200, answer.text
    (posted,) = pull.review_comments
    assert posted.review is pull.reviews[0]
    assert posted.diff_hunk.startswith("@@ -")
    told = bot.json_of(f"/pulls/{pull.number}/comments")[0]
    assert told["line"] == comment.get("line", posted.line)
    assert (told["start_line"], told["original_commit_id"]) == (comment.get("start_line"), pull.head_sha)
    assert told["position"] == posted.position


@pytest.mark.parametrize(
    ("comment", "says"),
    [
        (at(6), "Line"), (at(14), "Line"), (at(60), "Line"), (at(61), "Line"), (at(), "Line"), (at(position=99), "Line"),
        (at(10, path="other.py"), "Path"), (at(10, path="./cart.py"), "Path"),
        (at(40, start_line=10), "same hunk"), (at(10, start_line=12), "precede"), (at(10, start_line=10), "precede"),
    ],
    ids=[
        "above the hunk", "below the hunk", "end of file", "past the end", "nowhere", "no such position", "another file",
        "path in other words", "across hunks", "backwards", "one line as many",
    ],
)  # fmt: skip
def test_review_with_one_misplaced_comment_posts_nothing(bot: Client, pull: Pull, comment: dict[str, Any], says: str) -> None:
    answer = review(bot, at(10), comment)
    assert (answer.status_code, answer.json()["message"]) == (422, "Unprocessable Entity")
    assert says in answer.json()["errors"][0]
    assert not pull.reviews and not pull.all_review_comments


def test_binary_file_has_no_line_to_speak_of(shop: Repository, bot: Client, pull: Pull) -> None:
    pull.push({"picture.png": b"\x89PNG\0\0"})
    assert review(bot, at(1, path="picture.png")).status_code == 422
    made = bot.create("/pulls/1/comments", path="picture.png", body="of it all", commit_id=pull.head_sha, subject_type="file")
    assert (made["subject_type"], made["line"]) == ("file", None)


@pytest.mark.parametrize("side", ["left", "BOTH"])
def test_side_is_left_or_right(bot: Client, pull: Pull, side: str) -> None:
    assert review(bot, at(10, side=side)).status_code == 422


def test_comment_on_an_older_commit_is_read_against_that(bot: Client, pull: Pull) -> None:
    first = pull.head_sha
    pull.push({"cart.py": "all is different\n"})
    assert review(bot, at(43)).status_code == 422
    assert review(bot, at(43), commit_id=first).status_code == 200
    refused = review(bot, at(43), commit_id=pull.base_sha)
    assert refused.json()["errors"] == ["commit_id is not part of the pull request"]


def test_comment_whose_file_changed_since_has_no_line_any_more(bot: Client, pull: Pull) -> None:
    review(bot, at(10))
    pull.push({"other.py": "x = 1\n"})
    assert bot.json_of("/pulls/1/comments")[0]["line"] == 10
    pull.push({"cart.py": "all is different\n"})
    told = bot.json_of("/pulls/1/comments")[0]
    assert (told["line"], told["position"], told["original_line"]) == (None, None, 10)


@pytest.mark.parametrize(("event", "state"), [("APPROVE", "APPROVED"), ("REQUEST_CHANGES", "CHANGES_REQUESTED"), ("COMMENT", "COMMENTED")])
def test_event_decides_the_state(bot: Client, pull: Pull, event: str, state: str) -> None:
    assert review(bot, event=event).json()["state"] == state
    assert pull.reviews[0].state == state


@pytest.mark.parametrize("event", ["APPROVE", "REQUEST_CHANGES"])
def test_nobody_judges_a_pull_request_of_their_own(shop: Repository, pull: Pull, event: str) -> None:
    with Client.of_user(shop, "ada") as ada:
        refused = review(ada, event=event)
        assert (refused.status_code, "your own pull request" in refused.json()["errors"][0]) == (422, True)
        assert review(ada).status_code == 200


def test_review_needs_words_or_comments(bot: Client, pull: Pull) -> None:
    assert review(bot, body="").status_code == 422
    assert review(bot, body="", event="REQUEST_CHANGES").status_code == 422
    assert review(bot, at(10), body="").status_code == 200


@pytest.mark.parametrize("length", [65_536, 65_537])
def test_words_have_a_limit(bot: Client, pull: Pull, length: int) -> None:
    text, status = "ä" * length, 422 if length > 65_536 else None
    assert review(bot, body=text).status_code == (status or 200)
    assert review(bot, at(10, body=text)).status_code == (status or 200)
    assert bot.post("/issues/1/comments", json={"body": text}).status_code == (status or 201)
    assert bot.post("/pulls/1/comments", json=at(10, body=text, commit_id=pull.head_sha)).status_code == (status or 201)
    comment = bot.create("/issues/1/comments", body="short")
    assert bot.patch(f"/issues/comments/{comment['id']}", json={"body": text}).status_code == (status or 200)


def test_blank_comment_is_refused(bot: Client, pull: Pull) -> None:
    assert bot.post("/issues/1/comments", json={"body": " \n"}).status_code == 422
    assert review(bot, at(10, body="")).status_code == 422


def test_review_stays_a_draft_until_it_is_submitted(shop: Repository, bot: Client, pull: Pull) -> None:
    made = bot.create("/pulls/1/reviews", body="draft", comments=[at(10)])
    assert (made["state"], "submitted_at" in made, pull.reviews, pull.review_comments) == ("PENDING", False, [], [])
    assert bot.post("/pulls/1/reviews", json={"body": "second"}).status_code == 422
    with Client.of_user(shop, "ada") as ada:
        assert ada.json_of("/pulls/1/reviews") == []
        assert ada.get(f"/pulls/1/reviews/{made['id']}").status_code == 404
    assert bot.create(f"/pulls/1/reviews/{made['id']}/events", event="COMMENT")["state"] == "COMMENTED"
    assert (len(pull.reviews), len(pull.review_comments)) == (1, 1)
    assert bot.delete(f"/pulls/1/reviews/{made['id']}").status_code == 422


def test_draft_can_be_thrown_away(bot: Client, pull: Pull) -> None:
    made = bot.create("/pulls/1/reviews", body="draft", comments=[at(10)])
    assert bot.delete(f"/pulls/1/reviews/{made['id']}").status_code == 200
    assert (pull.all_reviews, pull.all_review_comments) == ([], [])


def test_review_is_read_changed_and_dismissed(bot: Client, pull: Pull) -> None:
    made = review(bot, at(10), event="REQUEST_CHANGES").json()
    path = f"/pulls/1/reviews/{made['id']}"
    assert bot.put(path, json={"body": "better said"}).json()["body"] == "better said"
    assert bot.json_of(path)["body"] == bot.json_of("/pulls/1/reviews")[0]["body"] == "better said"
    assert [comment["path"] for comment in bot.json_of(f"{path}/comments")] == ["cart.py"]
    assert bot.put(f"{path}/dismissals", json={"message": "it is fine"}).json()["state"] == "DISMISSED"


def test_review_of_others_is_not_changed(bot: Client, pull: Pull) -> None:
    theirs = pull.review("grace", "APPROVED", "fine")
    assert bot.put(f"/pulls/1/reviews/{theirs.id}", json={"body": "no"}).status_code == 403


def test_single_comment_says_which_part_is_wrong(bot: Client, pull: Pull) -> None:
    for comment, name in ((at(60), "line"), (at(10, path="x"), "path"), (at(40, start_line=10), "start_line")):
        refused = bot.post("/pulls/1/comments", json={**comment, "commit_id": pull.head_sha})
        assert refused.json()["errors"][0]["field"] == f"pull_request_review_thread.{name}"
    made = bot.create("/pulls/1/comments", **at(10), commit_id=pull.head_sha)
    assert bot.json_of(f"/pulls/1/reviews/{made['pull_request_review_id']}")["body"] == ""


def test_answers_belong_to_the_first_comment(bot: Client, pull: Pull) -> None:
    first = bot.create("/pulls/1/comments", **at(10), commit_id=pull.head_sha)
    second = bot.create(f"/pulls/1/comments/{first['id']}/replies", body="and")
    third = bot.create(f"/pulls/1/comments/{second['id']}/replies", body="also")
    fourth = pull.reply("ada", pull.review_comments[-1], "no")
    assert second["in_reply_to_id"] == third["in_reply_to_id"] == first["id"]
    assert (fourth.in_reply_to is pull.review_comments[0], fourth.line) == (True, 10)
    assert bot.post("/pulls/1/comments/1/replies", json={"body": "to nobody"}).status_code == 404


def test_comment_at_a_line_is_changed_and_deleted(bot: Client, pull: Pull) -> None:
    theirs = pull.review_comment("ada", "cart.py", 10, "why?")
    path = f"/pulls/comments/{theirs.id}"
    assert bot.json_of(path)["user"]["login"] == "ada"
    assert bot.patch(path, json={"body": "because"}).json()["body"] == "because"
    assert bot.delete(path).status_code == 204
    assert bot.get(path).status_code == 404


def test_comment_in_the_conversation_is_changed_and_deleted(bot: Client, pull: Pull) -> None:
    made = bot.create("/issues/1/comments", body="reviewing")
    assert (made["user"]["login"], made["user"]["type"]) == ("box-review[bot]", "Bot")
    assert made["performed_via_github_app"]["slug"] == "box-review"
    assert bot.patch(f"/issues/comments/{made['id']}", json={"body": "done"}).json()["body"] == "done"
    assert [comment["body"] for comment in bot.json_of("/issues/1/comments")] == [pull.comments[0].body] == ["done"]
    assert bot.delete(f"/issues/comments/{made['id']}").status_code == 204
    assert bot.get(f"/issues/comments/{made['id']}").status_code == 404
    assert not pull.comments


def test_user_changes_only_what_is_their_own(github: GitHub, shop: Repository, pull: Pull) -> None:
    theirs = pull.comment("grace", "mine")
    with Client.of_user(shop, "mallory") as mallory, Client.of_user(shop, "ada") as ada:
        assert mallory.patch(f"/issues/comments/{theirs.id}", json={"body": "no"}).status_code == 403
        assert ada.patch(f"/issues/comments/{theirs.id}", json={"body": "a member may"}).status_code == 200


def test_locked_conversation_takes_no_comments(bot: Client, pull: Pull) -> None:
    pull.lock()
    for answer in (bot.post("/issues/1/comments", json={"body": "x"}), review(bot, at(10))):
        assert (answer.status_code, answer.json()["message"]) == (403, "Unable to create comment because issue is locked.")


def test_comments_since_a_time(bot: Client, pull: Pull) -> None:
    pull.comment("ada", "/box review")
    assert len(bot.json_of("/issues/1/comments", params={"since": "2020-01-01T00:00:00Z"})) == 1
    assert bot.json_of("/issues/1/comments", params={"since": "2999-01-01T00:00:00Z"}) == []


@pytest.mark.parametrize("kind", ["issues", "pulls"])
def test_reaction_is_given_once(bot: Client, pull: Pull, kind: str) -> None:
    comment = pull.comment("ada", "/box review") if kind == "issues" else pull.review_comment("ada", "cart.py", 10, "why?")
    path = f"/{kind}/comments/{comment.id}"
    first, second = (bot.post(f"{path}/reactions", json={"content": "eyes"}) for _ in range(2))
    assert (first.status_code, second.status_code, first.json()["id"]) == (201, 200, second.json()["id"])
    assert bot.json_of(path)["reactions"]["eyes"] == 1
    assert [reaction["content"] for reaction in bot.json_of(f"{path}/reactions")] == ["eyes"]
    assert bot.delete(f"{path}/reactions/{first.json()['id']}").status_code == 204
    assert not comment.reactions


def test_labels_are_made_as_they_are_given(bot: Client, pull: Pull) -> None:
    assert [label["name"] for label in bot.create("/issues/1/labels", labels=["box: high", "seen"])] == ["box: high", "seen"]
    bot.create("/issues/1/labels", labels=["SEEN"])
    assert pull.labels == ["box: high", "seen"]
    assert bot.delete("/issues/1/labels/box:%20high").status_code == 200
    assert bot.delete("/issues/1/labels/box:%20high").json()["message"] == "Label does not exist"
    assert [label["name"] for label in bot.json_of("/issues/1/labels")] == [label["name"] for label in bot.json_of("/issues/1")["labels"]]
