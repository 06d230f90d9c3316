"""What a user gets wrong: one sentence, the documented exit code, no traceback, nothing left behind."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.repositories import Repository
from tests.server import Ended, Server, box_review

Make = Callable[..., Repository]
TWO = ({"a.py": "x = 1\n"}, {"a.py": "x = 2\n"})


def refused(ended: Ended, *words: str, code: int = 2) -> None:
    assert (ended.code, "Traceback" in ended.err) == (code, False), ended
    last = ended.err.strip().splitlines()[-1]
    assert last.startswith(("box-review:", "Error:")), ended.err
    for word in words:
        assert word in last, last


def ask(server: Server, *arguments: str | Path) -> Ended:
    return box_review("review", *arguments, BOX_REVIEW_URL=server.address.url, BOX_REVIEW_API_KEY=server.address.api_key)


def test_folder_without_repository(tmp_path: Path) -> None:
    refused(box_review("review", tmp_path), str(tmp_path), "not in a git repository")


def test_path_that_does_not_exist(tmp_path: Path) -> None:
    refused(box_review("review", tmp_path / "gone"), "gone", "does not exist")


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
def test_path_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    refused(box_review("review", tmp_path / "closed"), "cannot be read")


@pytest.mark.parametrize("option", ["--base", "--head"])
@pytest.mark.parametrize("revision", ["nope", "--output=x", "a..b", "HEAD\n"])
def test_unknown_revision(repository: Make, option: str, revision: str) -> None:
    refused(box_review("review", repository(*TWO).path, f"{option}={revision}"), "is not a commit")


@pytest.mark.parametrize("option", ["--base", "--head"])
def test_empty_revision_is_the_default(repository: Make, server: Server, option: str) -> None:
    assert ask(server, repository(*TWO).path, f"{option}=").code == 0


def test_base_equal_to_head(repository: Make) -> None:
    refused(box_review("review", repository(*TWO).path, "--base", "HEAD"), "same commit", "nothing to review")


def test_head_contained_in_base(repository: Make) -> None:
    refused(box_review("review", repository(*TWO).path, "--base", "HEAD", "--head", "HEAD~1"), "contained in base")


def test_repository_without_commit(tmp_path: Path) -> None:
    refused(box_review("review", Repository(tmp_path / "new").path), "no commit", "nothing to review")


def test_repository_with_a_single_commit(repository: Make) -> None:
    refused(box_review("review", repository(TWO[0]).path), "single commit", "--base")


def test_bare_repository_is_reviewed(repository: Make, tmp_path: Path, server: Server) -> None:
    subprocess.run(["git", "clone", "-q", "--bare", repository(*TWO).path, tmp_path / "bare.git"], check=True)
    assert ask(server, tmp_path / "bare.git").code == 0


def test_output_that_cannot_be_written(repository: Make, tmp_path: Path) -> None:
    refused(box_review("review", repository(*TWO).path, "-o", tmp_path / "no" / "file"), "cannot be written")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(["--role", "poetry"], "poetry"), (["--driver", "vmware"], "vmware"), (["--harness", "oracle"], "oracle"), (["--role", "A B"], "A B")],
    ids=["role", "driver", "harness", "role-syntax"],
)
def test_unknown_name_is_answered_with_the_known_ones(repository: Make, server: Server, arguments: list[str], named: str) -> None:
    refused(ask(server, repository(*TWO).path, *arguments), named)


def test_unknown_driver_of_an_embedded_server(repository: Make, data_dir: Path) -> None:
    ended = box_review("review", repository(*TWO).path, "--driver", "vmware", BOX_DATA_DIR=str(data_dir / "d"))
    refused(ended, "vmware", "bubblewrap", code=3)


def test_unknown_format_and_threshold(repository: Make) -> None:
    path = repository(*TWO).path
    for option in (["--format", "pdf"], ["--fail-on", "meh"], ["--timeout", "0"]):
        refused(box_review("review", path, *option), option[0])


def test_server_that_is_not_there(repository: Make) -> None:
    path = repository(*TWO).path
    refused(box_review("review", path, BOX_REVIEW_URL="http://127.0.0.1:9", BOX_REVIEW_API_KEY="k"), "http://127.0.0.1:9", code=3)
    refused(box_review("review", path, BOX_REVIEW_URL="ftp://x", BOX_REVIEW_API_KEY="k"), "BOX_REVIEW_URL")
    refused(box_review("review", path, BOX_REVIEW_URL="http://127.0.0.1:9"), "BOX_REVIEW_API_KEY")


def test_wrong_key(repository: Make, server: Server) -> None:
    ended = box_review("review", repository(*TWO).path, BOX_REVIEW_URL=server.address.url, BOX_REVIEW_API_KEY="wrong")
    refused(ended, "API key")


def test_data_directory_that_cannot_be_made(repository: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = box_review("review", repository(*TWO).path, BOX_DATA_DIR=str(tmp_path / "file" / "d"))
    refused(ended, "data directory", "BOX_DATA_DIR", code=3)


def test_port_in_use_and_second_server_on_the_same_data(server: Server, data_dir: Path) -> None:
    port = server.address.url.rsplit(":", 1)[1]
    ended = box_review("serve", "--port", port, "--data-dir", data_dir / "d")
    assert (ended.code, "cannot be listened on" in ended.err, "Traceback" in ended.err) == (2, True, False)
    ended = box_review("serve", "--port", "0", "--data-dir", server.data_dir)
    assert (ended.code, "another server runs on" in ended.err, "Traceback" in ended.err) == (2, True, False)
