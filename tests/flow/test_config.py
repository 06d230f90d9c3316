"""A repository's own settings, as reviews on the command line take them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.repositories import BAD, Repository
from tests.server import Ended, Server, box_review

FILE = ".github/box-review.yml"


def review(server: Server, path: Path, *options: str) -> Ended:
    return box_review("review", path, "--format", "json", *options, BOX_REVIEW_URL=server.url, BOX_REVIEW_API_KEY=server.address.api_key)


def repository(folder: Path, config: str, head: str | None = None) -> Path:
    made = Repository(folder / "r")
    made.commit({FILE: config, "x": "1"})
    made.commit({"a.py": BAD} | ({} if head is None else {FILE: head}))
    return made.path


def roles(done: Ended) -> list[str]:
    return [report["role"] for report in json.loads(done.out)["roles"]]


def test_base_decides_what_no_option_does(server: Server, tmp_path: Path) -> None:
    path = repository(tmp_path, "roles: [security]\nfail_on: never\n")
    done = review(server, path)
    assert (done.code, roles(done)) == (0, ["security"]), done.err
    assert f"Using {FILE} of" in done.err
    assert "fail_on, roles" in done.err
    assert review(server, path, "--fail-on", "high").code == 1
    assert roles(review(server, path, "--role", "quality")) == ["quality"]
    assert roles(review(server, path, "--no-config")) == ["security", "quality", "architecture"]


def test_change_cannot_decide_how_it_is_reviewed(server: Server, tmp_path: Path) -> None:
    """Threat: a pull request that switches its own review off."""
    done = review(server, repository(tmp_path, "roles: [security]\n", head="roles: [architecture]\nfail_on: never\n"))
    assert (done.code, roles(done)) == (1, ["security"]), done.err


def test_settings_that_cannot_be_used_stop_the_review_and_say_where(server: Server, tmp_path: Path) -> None:
    path = repository(tmp_path, "roles: [security]\nmodle: x\nbudget_usd: no\n")
    done = review(server, path)
    assert (done.code, done.out) == (2, "")
    assert ":2: modle: there is no such key; is 'model' meant?" in done.err
    assert ":3: budget_usd" in done.err
    assert "--no-config reviews without it" in done.err
    assert review(server, path, "--no-config").code == 1


def test_link_in_place_of_the_settings_is_not_followed(server: Server, tmp_path: Path) -> None:
    """Threat: settings that are a way to a file of the reader."""
    made = Repository(tmp_path / "r")
    (made.path / ".github").mkdir()
    (made.path / FILE).symlink_to("/etc/passwd")
    made.commit({"x": "1"})
    made.commit({"x": "2"})
    done = review(server, made.path)
    assert (done.code, "is no plain file" in done.err) == (2, True), done.err


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        ("roles: [security]\n", 0, "is valid; it decides roles."),
        ("", 0, "is valid and decides nothing."),
        ("role: [security]\n", 2, "box-review.yml:1: role: there is no such key; is 'roles' meant?"),
        (None, 2, "cannot be read: No such file or directory"),
    ],
    ids=["valid", "empty", "wrong", "missing"],
)
def test_file_is_checked_before_it_is_committed(content: str | None, code: int, said: str, tmp_path: Path) -> None:
    (tmp_path / ".github").mkdir()
    if content is not None:
        (tmp_path / FILE).write_text(content)
    done = box_review("config", "validate", cwd=tmp_path)
    assert (done.code, said in done.out + done.err) == (code, True), done
    assert box_review("config", "validate", tmp_path / FILE).code == code


def test_schema_is_printed_for_editors() -> None:
    assert json.loads(box_review("config", "schema").out)["properties"].keys() >= {"roles", "budget_usd"}


def test_settings_are_those_of_the_base_as_it_is_now(server: Server, tmp_path: Path) -> None:
    """Threat: a change that branches off where the owners had not decided yet, or had decided otherwise for a moment."""
    made = Repository(tmp_path / "r")
    made.commit({FILE: "fail_on: never\n"})
    made.git("checkout", "-q", "-b", "change")
    made.commit({"a.py": BAD})
    made.git("checkout", "-q", "main")
    made.commit({FILE: "roles: [security]\n"})
    done = review(server, made.path, "--base", "main", "--head", "change")
    assert (done.code, roles(done)) == (1, ["security"]), done.err


def test_file_of_learned_rules_is_checked_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "box-review-learned.yml"
    file.write_text("rules:\n- {id: l-1, text: Amounts are cents}\n")
    assert "it has 1 rule." in box_review("config", "validate", file).out
    file.write_text("rules:\n- {id: l-1, txt: Amounts are cents}\n")
    done = box_review("config", "validate", file)
    assert (done.code, "is 'text' meant?" in done.err) == (2, True)
