"""The tools as boxes see them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from runner.evidence.errors import ToolboxError
from runner.evidence.toolbox import Toolbox, build_toolbox


def test_everything_is_there_and_named_with_its_version(toolbox: Toolbox) -> None:
    assert toolbox.missing == ()
    assert set(toolbox.versions) == {"ruff", "zizmor", "shellcheck", "lizard", "grimp", "detect-secrets"}
    assert (toolbox.evidence / "collect.py").is_file()


def test_any_user_may_read_and_nobody_may_write_it(toolbox: Toolbox) -> None:
    for path in [toolbox.root, *toolbox.root.rglob("*")]:
        mode = path.lstat().st_mode
        assert not stat.S_ISLNK(mode), path
        assert mode & 0o022 == 0, path
        assert mode & 0o004, path
        assert mode & 0o001 or not path.is_dir(), path


def test_a_second_build_uses_the_first(toolbox: Toolbox) -> None:
    before = (toolbox.evidence / "collect.py").stat().st_ino
    assert build_toolbox(toolbox.root.parent) == toolbox
    assert (toolbox.evidence / "collect.py").stat().st_ino == before
    assert [path.name for path in toolbox.root.parent.iterdir()] == [toolbox.root.name]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ToolboxError, match="cannot be laid out below"):
        build_toolbox(tmp_path / "file")
