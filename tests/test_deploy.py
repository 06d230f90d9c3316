"""Dockerfile, compose.yaml and systemd units: every command starts, every health check answers, every setting exists."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.settings import BotSettings
from runner.settings import RunnerSettings
from tests.conftest import Valkey

ROOT = Path(__file__).parent.parent
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
TARGETS = {"bot": "bot", "worker": "github", "runner": "runner"}
SETTINGS = {name.upper() for name in (*BotSettings.model_fields, *RunnerSettings.model_fields)}
START_S = 40.0


def stages() -> dict[str, str]:
    """The Dockerfile's stages by name."""
    parts = re.split(r"^FROM \S+ AS (\w+)$", DOCKERFILE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def words(target: str, instruction: str) -> list[str]:
    """What a stage starts: `CMD`, or the command of its `HEALTHCHECK`; with this Python."""
    (found,) = re.findall(rf"^{instruction}\s*(?:--\S+ )*(?:CMD )?(\[.*\])$", stages()[target], re.MULTILINE)
    command: list[str] = json.loads(found)
    assert command[0] == "/opt/box-review/bin/python"
    return [sys.executable, *command[1:]]


def unit(path: Path, name: str) -> list[str]:
    """All values of a unit's setting."""
    return re.findall(rf"^{name}=(.*)$", path.read_text(), re.MULTILINE)


@pytest.fixture
def environment(valkey: Valkey, data_dir: Path) -> dict[str, str]:
    """Of a machine on which nothing else is configured."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "BOX_DRIVER", "PYTHONPATH")}
    return {**kept, "REDIS_URL": valkey.url, "BOX_DATA_DIR": str(data_dir / "d"), "PORT": port, "HOST": "127.0.0.1", "BOX_STANDBY": "0"}


@contextmanager
def started(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process for as long as the context lasts, in a folder that holds nothing of ours; it ends as told."""
    Path(environment["BOX_DATA_DIR"]).mkdir(exist_ok=True)
    with subprocess.Popen(command, env=environment, cwd=environment["BOX_DATA_DIR"], stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            ended = process.poll()
            process.terminate()
            process.wait(40)
            assert ended is None, f"it ended by itself with {ended}"


def answers(check: list[str], environment: dict[str, str]) -> bool:
    """Whether a health check is content."""
    return subprocess.run(check, env=environment, capture_output=True, check=False, timeout=20).returncode == 0


def becomes(check: list[str], environment: dict[str, str]) -> None:
    """Until a health check is content."""
    ends = time.monotonic() + START_S
    while not answers(check, environment):
        assert time.monotonic() < ends, f"not healthy within {START_S:g} s"
        time.sleep(0.2)


@pytest.mark.parametrize("target", TARGETS)
def test_image_starts_and_its_health_check_answers_only_while_it_runs(target: str, environment: dict[str, str], valkey: Valkey) -> None:
    check = words(target, "HEALTHCHECK")
    assert not answers(check, environment)
    with started(words(target, "CMD"), environment):
        becomes(check, environment)
        if target != "bot":  # the bot answers that it lives, and on /readyz that it cannot work
            valkey.stop()
            assert not answers(check, environment)
            valkey.start()
    assert not answers(check, environment)


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_unit_starts_what_the_image_does(path: Path) -> None:
    (command,) = unit(path, "ExecStart")
    target = path.stem.removeprefix("box-review-")
    assert [sys.executable, *shlex.split(command)[1:]] == words(target, "CMD")


def test_all_together_are_ready(environment: dict[str, str]) -> None:
    ready = [word.replace("/healthz", "/readyz") for word in words("bot", "HEALTHCHECK")]
    with ExitStack() as stack:
        for target in TARGETS:
            stack.enter_context(started(words(target, "CMD"), environment))
        becomes(ready, environment)


def test_every_setting_exists() -> None:
    named = set(re.findall(r"\b([A-Z][A-Z_]+)=\S", "\n".join(re.findall(r"^ENV (.*)$", DOCKERFILE, re.MULTILINE))))
    for path in UNITS:
        named |= {word.partition("=")[0] for line in unit(path, "Environment") for word in shlex.split(line)}
    for service in COMPOSE["services"].values():
        for name, value in service.get("environment", {}).items():
            named |= {name, *re.findall(r"\$\{(\w+)", str(value))}
    assert len(named) > 15
    assert named <= SETTINGS


def test_compose_is_valid_and_builds_what_there_is() -> None:
    checked = subprocess.run(
        [Path(sys.executable).with_name("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", ROOT / "compose.yaml"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout
    services = COMPOSE["services"]
    assert {name: service["build"]["target"] for name, service in services.items() if "build" in service} == {one: one for one in TARGETS}
    used = {volume.partition(":")[0] for service in services.values() for volume in service["volumes"]}
    assert used == set(COMPOSE["volumes"])
    assert all(service["cap_drop"] == ["ALL"] for name, service in services.items() if name in TARGETS)
    assert "appendonly" in str(services["queue"]["command"]) and "noeviction" in str(services["queue"]["command"])


def test_no_secret_has_a_default() -> None:
    secret = re.compile(r"KEY|SECRET|TOKEN")
    for service in COMPOSE["services"].values():
        for name, value in service.get("environment", {}).items():
            if secret.search(name):
                assert re.fullmatch(r"\$\{\w+:(-|\?[^}]+)\}", value), name


def test_image_holds_all_that_the_application_is_made_of_and_runs_as_nobody() -> None:
    copied = set(re.findall(r"^COPY ([a-z]+) \1$", stages()["build"], re.MULTILINE))
    assert copied == {"requirements", "sdk", "action", "bot", "jobs", "prompts", "runner", "sandbox"}
    assert "--require-hashes" in stages()["build"]
    allowed = set(re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert allowed == copied | {"pyproject.toml", "README.md", "LICENSE"}
    assert re.search(r"^USER 10001$", stages()["app"], re.MULTILINE)
    assert all(f"FROM app AS {target}" in DOCKERFILE for target in TARGETS)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_unit_is_one_that_systemd_understands(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / path.name
    copy.write_text(path.read_text().replace("/opt/box-review/bin/python", sys.executable))
    checked = subprocess.run(["systemd-analyze", "verify", copy], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
