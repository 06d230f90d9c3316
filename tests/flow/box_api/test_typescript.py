"""The official TypeScript client, under Node."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.flow.box_api.conftest import until
from tests.flow.box_api.recorder import Recorder
from tests.server import Server

HERE = Path(__file__).parent / "typescript"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client as npm installs it, by its lock file."""
    npm = shutil.which("npm")
    in_ci = bool(os.environ.get("CI"))  # where nothing is left out
    if not in_ci and (npm is None or shutil.which("node") is None):
        pytest.skip("needs node and npm")
    folder = tmp_path_factory.mktemp("typescript")
    for file in HERE.iterdir():
        shutil.copy(file, folder)
    installed = subprocess.run(
        [npm or "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if installed.returncode:
        if not in_ci and ("ENOTFOUND" in installed.stderr or "EAI_AGAIN" in installed.stderr):
            pytest.skip("needs the npm registry, which cannot be reached")
        raise AssertionError(installed.stderr)
    return folder


@pytest.mark.timeout(200)
def test_typescript_client_works_unchanged(project: Path, served: Server, outside: Recorder) -> None:
    outside.answers.pop("/typescript", None)
    environment = {
        **os.environ,
        "UPSTASH_BOX_BASE_URL": served.url,
        "UPSTASH_BOX_API_KEY": "box_one",
        "HOOK": f"{outside.url}/typescript",
    }
    ended = subprocess.run(["node", "client.mjs"], cwd=project, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert (ended.returncode, ended.stdout.splitlines()[-1:]) == (0, ["done"]), ended.stdout + ended.stderr
    until(lambda: [asked.json["output"] for asked in outside.on("/typescript")] == ["said later"])
