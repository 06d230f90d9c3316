"""Programs of agents are fetched as they were pinned, or not at all."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.errors import HostMisconfigured
from runner.harness import install
from tests.fakes.loopback import Handler, Loopback
from tests.server import box_review


def package(files: dict[str, bytes], link: str | None = None) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755
            tar.addfile(member, io.BytesIO(data))
        if link:
            member = tarfile.TarInfo("package/bin/link")
            member.type, member.linkname = tarfile.SYMTYPE, link
            tar.addfile(member)
    return made.getvalue()


GOOD = package({"package/bin/opencode": b"#!/bin/sh\n", "package/../../escape": b"x", "other/file": b"x"}, link="/etc/passwd")


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """A registry that serves what the list holds."""
    served = [GOOD]

    class Registry(Handler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(served[0])))
            self.end_headers()
            self.wfile.write(served[0])

    pinned = replace(install.PACKAGES["opencode"], sha512=base64.b64encode(hashlib.sha512(GOOD).digest()).decode())
    monkeypatch.setitem(install.PACKAGES, "opencode", pinned)  # type: ignore[arg-type]
    with Loopback(Registry) as server:
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", server.url)
        yield served


def test_package_is_laid_out_and_found(registry: list[bytes], tmp_path: Path) -> None:
    seen: list[int] = []
    folder = install.add(tmp_path, "opencode", lambda so_far, _: seen.append(so_far))
    assert [path.name for path in sorted(folder.iterdir())] == ["opencode"]
    assert seen[-1] == len(GOOD)
    assert list(install.installed(tmp_path)) == ["opencode"]
    registry[0] = b"never asked again"
    assert install.add(tmp_path, "opencode") == folder
    assert install.remove(tmp_path, "opencode")
    assert install.installed(tmp_path) == {}


def test_package_with_other_bytes_is_not_installed(registry: list[bytes], tmp_path: Path) -> None:
    """Threat: a registry, or somebody on the way, gives another program."""
    registry[0] = package({"package/bin/opencode": b"evil"})
    with pytest.raises(HostMisconfigured, match="SHA-512 is another one; nothing was installed"):
        install.add(tmp_path, "opencode")
    assert not any(tmp_path.iterdir())


def test_registry_that_cannot_be_reached_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "http://127.0.0.1:1")
    with pytest.raises(HostMisconfigured, match="cannot be fetched"):
        install.add(tmp_path, "codex")


def test_command_lists_what_is_here_and_says_what_fails(tmp_path: Path) -> None:
    listed = box_review("harness", BOX_DATA_DIR=str(tmp_path))
    assert (listed.code, "box-review harness add codex" in listed.out) == (0, True), listed.err
    told = box_review("harness", "add", "codex", BOX_DATA_DIR=str(tmp_path), NPM_CONFIG_REGISTRY="http://127.0.0.1:1")
    assert (told.code, "Traceback" in told.err) == (3, False)
    assert "cannot be fetched" in told.err
    assert box_review("harness", "add", "cursor").code == 2
