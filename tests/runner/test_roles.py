"""Roles that a host's operator adds as files."""

from __future__ import annotations

from pathlib import Path

import pytest
from box_review.review import DEFAULT_ROLES

from runner.errors import HostMisconfigured
from runner.roles import read_roles


def test_every_default_role_has_words() -> None:
    assert read_roles(None).keys() >= set(DEFAULT_ROLES)


def test_file_adds_a_role_and_stands_above_ours(tmp_path: Path) -> None:
    (tmp_path / "money.md").write_text("Look for money.")
    (tmp_path / "quality.md").write_text("Our own quality.")
    (tmp_path / "notes.txt").write_text("no role")
    roles = read_roles(tmp_path)
    assert (roles["money"], roles["quality"]) == ("Look for money.", "Our own quality.")
    assert roles["security"] == read_roles(None)["security"]
    assert "notes" not in roles


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("Money.md", b"x", r"Money\.md cannot be a role: names are lower-case"),
        ("a b.md", b"x", "cannot be a role"),
        ("jury.md", b"x", "cannot be a role"),
        ("money.md", b" \n", r"money\.md is empty"),
        ("money.md", b"\xff\xfe", r"money\.md is no UTF-8"),
        ("money.md", b"x" * 20_001, r"money\.md has more than 20000 bytes"),
    ],
    ids=["capital", "blank", "jury", "empty", "binary", "large"],
)
def test_file_that_cannot_be_a_role_is_named(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(HostMisconfigured, match=said):
        read_roles(tmp_path)


def test_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(HostMisconfigured, match=r"BOX_ROLES_DIR: .*nowhere: No such file"):
        read_roles(tmp_path / "nowhere")
