"""Pull requests: their git, their files, and what happens to them."""

from __future__ import annotations

import base64
import itertools

from tests.fakes.github import GitHub, Pull, Repository, executable, submodule, symlink
from tests.fakes.github.changes import changes as changes_between
from tests.fakes.test_github.clients import Client


def files(bot: Client, pull: Pull) -> dict[str, dict[str, object]]:
    return {file["filename"]: file for file in bot.json_of(f"/pulls/{pull.number}/files", params={"per_page": 100})}


def test_pull_request_is_told_with_its_counts(bot: Client, pull: Pull) -> None:
    told = bot.json_of(f"/pulls/{pull.number}")
    assert (told["additions"], told["deletions"], told["changed_files"], told["commits"]) == (2, 2, 1, 1)
    assert (told["head"]["sha"], told["base"]["ref"], told["user"]["login"]) == (pull.head_sha, "main", "ada")
    assert (told["state"], told["draft"], told["mergeable"]) == ("open", False, True)


def test_files_show_three_lines_around_what_changed(bot: Client, pull: Pull) -> None:
    patch = str(files(bot, pull)["cart.py"]["patch"])
    assert patch.startswith("@@ -7,7 +7,7 @@ line 6\n line 7\n line 8\n line 9\n-line 10\n+LINE 10\n line 11\n")
    assert patch.count("@@ -") == 2
    assert not patch.endswith("\n")


def test_what_the_base_did_meanwhile_is_not_in_the_diff(shop: Repository, bot: Client, pull: Pull) -> None:
    shop.commit("main", {"other.py": "x = 1\n"})
    assert list(files(bot, pull)) == ["cart.py"]
    assert bot.get(f"/pulls/{pull.number}", headers={"Accept": "application/vnd.github.diff"}).text.count("diff --git") == 1


def test_files_of_every_kind(shop: Repository, bot: Client) -> None:
    text = "".join(f"{number}\n" for number in range(30))
    shop.commit("main", {"old.txt": text, "gone.py": "x\n", "mode.sh": "echo\n", "link": "cart.py\n", 'ü\n ".txt': "x\n"})
    shop.commit("topic", {
        "old.txt": None, "new.txt": text + "more\n", "gone.py": None, "mode.sh": executable("echo\n"), "link": symlink("cart.py"),
        "picture.png": b"\x89PNG\0\0", "vendor": submodule("1" * 40), "empty.py": "", "ü\n \".txt": "y", "new.py": "a\nb\n",
    })  # fmt: skip
    told = files(bot, shop.pull(user="ada", head="topic"))
    assert {name: (file["status"], file["additions"], file["deletions"], "patch" in file) for name, file in told.items()} == {
        "new.txt": ("renamed", 1, 0, True), "gone.py": ("removed", 0, 1, True), "mode.sh": ("modified", 0, 0, False),
        "link": ("changed", 1, 0, True), "picture.png": ("added", 0, 0, False), "vendor": ("added", 1, 0, True),
        "empty.py": ("added", 0, 0, False), "ü\n \".txt": ("modified", 1, 1, True), "new.py": ("added", 2, 0, True),
    }  # fmt: skip
    assert told["new.txt"]["previous_filename"] == "old.txt"


def test_file_that_is_too_large_has_no_patch(shop: Repository, bot: Client) -> None:
    shop.commit("topic", {"large.txt": "x" * 80 + "\n" + ("y" * 80 + "\n") * 7000, "small.txt": "x\n"})
    told = files(bot, shop.pull(user="ada", head="topic"))
    assert ("patch" in told["large.txt"], told["large.txt"]["additions"], "patch" in told["small.txt"]) == (False, 7001, True)


def test_no_more_than_three_thousand_files_are_listed(shop: Repository, bot: Client) -> None:
    shop.commit("topic", {f"{number:05}": "x" for number in range(3001)})
    pull = shop.pull(user="ada", head="topic")
    last = bot.json_of(f"/pulls/{pull.number}/files", params={"per_page": 100, "page": 30})
    assert (len(last), last[-1]["filename"]) == (100, "02999")
    assert bot.json_of(f"/pulls/{pull.number}/files", params={"per_page": 100, "page": 31}) == []
    assert bot.json_of(f"/pulls/{pull.number}")["changed_files"] == 3001
    refused = bot.get(f"/pulls/{pull.number}", headers={"Accept": "application/vnd.github.diff"})
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (406, "too_large")


def test_list_comes_in_pages_with_links(shop: Repository, bot: Client) -> None:
    shop.commit("topic", {f"{number:03}": "x" for number in range(101)})
    pull = shop.pull(user="ada", head="topic")
    first = bot.get(f"/pulls/{pull.number}/files", params={"per_page": 500})
    assert len(first.json()) == 100
    assert set(first.links) == {"next", "last"}
    second = bot.get(first.links["next"]["url"])
    assert (len(second.json()), set(second.links)) == (1, {"prev", "first"})
    assert len(bot.json_of(f"/pulls/{pull.number}/files")) == 30


def test_push_moves_the_head_and_a_forced_one_replaces_it(bot: Client, pull: Pull) -> None:
    first = pull.head_sha
    second = pull.push({"more.py": "x = 1\n"})
    assert [commit["sha"] for commit in bot.json_of(f"/pulls/{pull.number}/commits")] == [first, second]
    third = pull.push({"more.py": "x = 2\n"}, force=True)
    assert [commit["sha"] for commit in bot.json_of(f"/pulls/{pull.number}/commits")] == [first, third]
    assert pull.repository.bare.resolve("refs/pull/1/head") == third


def test_retargeted_pull_request_shows_what_it_is_now(shop: Repository, bot: Client, pull: Pull) -> None:
    shop.commit("stable", {"stable.py": "x\n"}, start="topic")
    pull.retarget("stable")
    assert files(bot, pull) == {}
    assert bot.json_of(f"/pulls/{pull.number}")["base"]["ref"] == "stable"


def test_conflict_is_not_mergeable_and_has_no_merge_ref(shop: Repository, bot: Client, pull: Pull) -> None:
    assert shop.bare.resolve(f"refs/pull/{pull.number}/merge") == bot.json_of(f"/pulls/{pull.number}")["merge_commit_sha"]
    shop.commit("main", {"cart.py": "all is different\n"})
    pull.push({"x.py": ""})
    told = bot.json_of(f"/pulls/{pull.number}")
    assert (told["mergeable"], told["mergeable_state"], told["merge_commit_sha"]) == (False, "dirty", None)


def test_pull_request_of_a_fork(github: GitHub, shop: Repository, bot: Client) -> None:
    fork = shop.fork("mallory")
    sha = fork.commit("evil", {"evil.py": "x\n"}, user="mallory")
    pull = shop.pull(user="mallory", head="mallory:evil")
    told = bot.json_of(f"/pulls/{pull.number}")
    assert (told["head"]["label"], told["head"]["repo"]["full_name"], told["head"]["repo"]["fork"]) == (
        "mallory:evil",
        "mallory/shop",
        True,
    )
    assert told["author_association"] == "NONE"
    assert shop.bare.resolve(f"refs/pull/{pull.number}/head") == sha
    pushed = pull.push({"evil.py": "y\n"})
    assert (pull.head_sha, shop.bare.resolve(f"refs/pull/{pull.number}/head")) == (pushed, pushed)
    github.delete(fork)
    told = bot.json_of(f"/pulls/{pull.number}")
    assert (told["head"]["repo"], told["head"]["sha"]) == (None, pushed)
    assert list(files(bot, pull)) == ["evil.py"]


def test_closed_merged_and_reopened(shop: Repository, bot: Client, pull: Pull) -> None:
    pull.close()
    assert bot.json_of("/pulls") == []
    pull.reopen()
    merged = pull.merge("ada")
    told = bot.json_of(f"/pulls/{pull.number}")
    assert (told["state"], told["merged"], told["merged_by"]["login"], told["merge_commit_sha"]) == ("closed", True, "ada", merged)
    assert shop.sha("main") == merged
    assert len(bot.json_of("/pulls", params={"state": "all"})) == 1


def test_pull_requests_are_listed_by_head(bot: Client, pull: Pull) -> None:
    assert len(bot.json_of("/pulls", params={"head": "acme:topic"})) == 1
    assert bot.json_of("/pulls", params={"head": "acme:other"}) == []
    assert [found["number"] for found in bot.json_of(f"/commits/{pull.head_sha}/pulls")] == [1]


def test_contents_of_files_folders_and_links(shop: Repository, bot: Client) -> None:
    shop.commit("main", {"src/a b/ä.py": "x = 1\n", "src/link": symlink("a b"), "big.bin": b"\0" * 1_000_001})
    told = bot.json_of("/contents/src/a%20b/%C3%A4.py")
    assert (base64.b64decode(told["content"]), told["path"]) == (b"x = 1\n", "src/a b/ä.py")
    assert [(entry["name"], entry["type"]) for entry in bot.json_of("/contents/src")] == [("a b", "dir"), ("link", "symlink")]
    assert bot.json_of("/contents/src/link")["target"] == "a b"
    assert {entry["name"] for entry in bot.json_of("/contents")} == {"src", "big.bin", "cart.py"}
    assert bot.get("/contents/cart.py", headers={"Accept": "application/vnd.github.raw+json"}).text.startswith("line 1\n")
    assert bot.json_of("/contents/big.bin")["content"] == ""
    assert bot.get("/contents/nowhere").status_code == 404
    assert bot.get("/contents/cart.py", params={"ref": "nowhere"}).status_code == 404


def test_two_commits_are_compared_where_they_parted(shop: Repository, bot: Client, pull: Pull) -> None:
    shop.commit("main", {"other.py": "x\n"})
    told = bot.json_of("/compare/main...topic")
    assert (told["status"], told["ahead_by"], told["behind_by"], told["total_commits"]) == ("diverged", 1, 1, 1)
    assert [file["filename"] for file in told["files"]] == ["cart.py"]
    assert told["merge_base_commit"]["sha"] != told["base_commit"]["sha"] == shop.sha("main")
    shop.fork("mallory").commit("feature/x", {"y.py": "y\n"})
    assert bot.json_of("/compare/main...mallory:feature/x")["status"] == "ahead"
    assert bot.get("/compare/main...nowhere").status_code == 404


def test_branch_with_a_slash_and_commit_by_any_name(shop: Repository, bot: Client) -> None:
    sha = shop.commit("feature/x", {"y.py": "y\n"})
    assert bot.json_of("/commits/feature/x")["sha"] == bot.json_of("/branches/feature/x")["commit"]["sha"] == sha
    assert bot.json_of("/git/ref/heads/feature/x")["object"]["sha"] == sha
    assert bot.json_of(f"/commits/{sha}")["files"][0]["filename"] == "y.py"
    assert bot.get(f"/commits/{'1' * 40}").status_code == 422


def test_app_opens_a_pull_request_of_its_own(github: GitHub, shop: Repository, bot: Client) -> None:
    github.app.grant(contents="write")
    with Client.of_installation(shop) as writer:
        writer.create("/git/refs", ref="refs/heads/box-review/fix", sha=shop.sha("main"))
        content = base64.b64encode(b"fixed\n").decode()
        old = writer.json_of("/contents/cart.py")["sha"]
        change = {"message": "fix", "content": content, "branch": "box-review/fix"}
        assert writer.put("/contents/cart.py", json=change).status_code == 422
        assert writer.put("/contents/cart.py", json={**change, "sha": "1" * 40}).status_code == 409
        assert writer.put("/contents/cart.py", json={**change, "sha": old}).status_code == 200
        assert writer.put("/contents/new.py", json=change).status_code == 201
        made = writer.create("/pulls", title="Fix", head="box-review/fix", base="main", body="of what was found")
        assert made["user"]["login"] == "box-review[bot]"
        again = writer.post("/pulls", json={"title": "Fix", "head": "box-review/fix", "base": "main"})
        assert "already exists" in again.json()["errors"][0]["message"]
        assert writer.delete("/git/refs/heads/box-review/fix").status_code == 204
    assert shop.pulls[0].state == "closed"


def test_same_answer_is_not_sent_twice(bot: Client, pull: Pull) -> None:
    first = bot.get(f"/pulls/{pull.number}")
    assert bot.get(f"/pulls/{pull.number}", headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    pull.edit(title="Another")
    assert bot.get(f"/pulls/{pull.number}", headers={"If-None-Match": first.headers["etag"]}).status_code == 200


def test_positions_count_from_the_first_hunk(pull: Pull) -> None:
    (change,) = pull.changes
    assert change.patch is not None
    lines = change.patch.split("\n")
    for hunk, index in itertools.chain(*([(hunk, index) for index in range(len(hunk.places))] for hunk in change.hunks)):
        assert lines[hunk.position + index] == hunk.places[index].text
        assert change.at(hunk.position + index) == (hunk, index)
    assert change.at(0) is None
    assert change.at(len(lines)) is None


def test_end_of_file_without_a_newline_is_no_line(shop: Repository) -> None:
    before = shop.commit("main", {"a": "x"})
    after = shop.commit("main", {"a": "y"})
    (change,) = changes_between(shop.bare, before, after)
    assert (change.additions, change.deletions) == (1, 1)
    assert change.find(2, "RIGHT") is None
