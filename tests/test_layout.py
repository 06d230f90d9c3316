"""What holds the project together: the import rule, and what each distribution puts into a user's environment."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parent.parent
APPLICATION = {"bot", "runner", "jobs", "sandbox", "prompts", "action"}


def test_import_rule_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert lint_imports() == 0


@pytest.mark.parametrize(("folder", "packages"), [("sdk", {"box_review"}), (".", APPLICATION)], ids=["sdk", "application"])
def test_wheel_holds_its_packages_and_nothing_else(tmp_path: Path, folder: str, packages: set[str]) -> None:
    # `main` of hatchling, as build front ends call it; no network, no isolation.
    build = "import os, sys, hatchling.build as b; os.chdir(sys.argv[1]); b.build_wheel(sys.argv[2])"
    subprocess.run([sys.executable, "-c", build, ROOT / folder, tmp_path], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == packages
    assert not [name for name in names if "/tests/" in name or name.endswith((".pyc", ".so"))]
    kept = {name for name in names if name.endswith((".toml", ".yml", ".j2", "py.typed"))}
    assert kept >= (
        {"box_review/py.typed", "box_review/report/template.html.j2"}
        if folder == "sdk"
        else {"prompts/static/security.toml", "bot/pages/docs.html.j2", "bot/github/app.yml"}
    )
