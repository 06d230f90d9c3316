"""What is asked of the Docker engine. Its library waits for answers, so every call runs in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import io
import socket
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import docker
import docker.errors
import docker.types
import requests

from sandbox.box import HOME, Mount
from sandbox.errors import DiskFull, HostUnfit, SandboxError
from sandbox.limits import Limits
from sandbox.rootfs import BOX_FOLDERS, Rootfs

DEADLINE_S = 60
LABEL = "box-review.data"
_PERIOD_US = 100_000
_SHM_BYTES = 64 << 20
_UID = 1000
_T = TypeVar("_T")


class Gone(SandboxError):
    """A container or image is not there."""


class InUse(SandboxError):
    """Something else rests on what was to be removed or changed."""


class Engine:
    """One connection to the engine that `DOCKER_HOST` names, or the local one."""

    def __init__(self, client: docker.DockerClient, owner: str, runtime: str, runtime_args: tuple[str, ...]) -> None:
        self._client, self._owner = client, owner
        self.runtime, self.runtime_args = runtime, runtime_args

    @classmethod
    async def connect(cls, owner: str, runtime: str) -> Engine:
        """Connect. `owner` labels all that is made; `runtime` is runc, runsc, or empty for the better one. Raises HostUnfit."""
        try:
            client = await asyncio.to_thread(docker.DockerClient.from_env, timeout=DEADLINE_S)
            info = await asyncio.to_thread(client.info)
        except (docker.errors.DockerException, requests.RequestException) as error:
            raise HostUnfit(f"no Docker engine answers: {error}; start it, or let this user into the group `docker`") from error
        known = info.get("Runtimes") or {}
        chosen = runtime or ("runsc" if "runsc" in known else "runc")
        if chosen not in known:
            raise HostUnfit(
                f"this Docker engine has no runtime {chosen!r}, only {', '.join(sorted(known))}; add it to /etc/docker/daemon.json"
            )
        return cls(client, owner, chosen, tuple(known[chosen].get("runtimeArgs") or ()))

    @property
    def shares_kernel(self) -> bool:
        """True if boxes run on the host's kernel."""
        return not self.runtime.startswith("runsc")

    async def close(self) -> None:
        """Remove what nobody knows any more, and let go of the connection."""
        try:
            await self.prune()
        finally:
            await self._call(self._client.close)

    async def base_image(self, fs: Rootfs) -> str:
        """The image whose only content is the skeleton; programs come from the host. Made once per version of it."""
        tag = f"box-review-host:{fs.skeleton.parent.name}"
        try:
            await self._call(lambda: self._client.images.get(tag))
        except Gone:
            data = await asyncio.to_thread(_skeleton_archive, fs)
            name, _, version = tag.partition(":")
            await self._call(lambda: self._client.api.import_image_from_data(data, repository=name, tag=version))
        return tag

    async def create(self, name: str, image: str, command: list[str], mounts: list[Mount], limits: Limits) -> str:
        """Make a container that is not started; returns its id."""
        # Under gVisor the first process is root of the box's own kernel, which is nobody on the host's; programs are not.
        user, capabilities = (f"{_UID}:{_UID}", []) if self.shares_kernel else ("0:0", ["SETUID", "SETGID", "KILL", "SETPCAP"])
        options: dict[str, Any] = {
            "name": name,
            "entrypoint": [],
            "hostname": "box",
            "user": user,
            "working_dir": HOME,
            "network_mode": "none",
            "ipc_mode": "private",
            "cap_drop": ["ALL"],
            "cap_add": capabilities,
            "security_opt": ["no-new-privileges"],
            "volumes": {str(mount.source): {"bind": mount.target, "mode": "ro"} for mount in mounts},
            "tmpfs": {"/sys": "size=64k,mode=555"},
            "mem_limit": limits.memory_bytes,
            "memswap_limit": limits.memory_bytes,
            "pids_limit": limits.pids + 1,
            "cpu_period": _PERIOD_US,
            "cpu_quota": int(limits.cpus * _PERIOD_US),
            "shm_size": _SHM_BYTES,
            "ulimits": [docker.types.Ulimit(name="nofile", soft=8192, hard=8192)],
            "runtime": self.runtime,
            "stdin_open": True,
            "labels": {LABEL: self._owner},
            "log_config": {"type": "none"},
        }
        made = await self._call(lambda: self._client.containers.create(image, command, **options))
        return str(made.id)

    async def attach(self, container: str) -> socket.socket:
        """The container's stdin and stdout, as one connection in the engine's framing."""
        params = {"stdin": 1, "stdout": 1, "stream": 1}
        attached = await self._call(lambda: self._client.api.attach_socket(container, params=params))
        raw: socket.socket = attached._sock
        own = raw.dup()
        attached.close()
        raw.close()
        own.setblocking(False)
        return own

    async def start(self, container: str) -> None:
        """Start a container."""
        await self._call(lambda: self._client.api.start(container))

    async def kill(self, container: str) -> None:
        """End a container's processes and wait until they are gone; the container stays."""
        with contextlib.suppress(Gone):
            await self._call(lambda: self._client.api.stop(container, timeout=0))

    async def ended(self, container: str, patience_s: int) -> None:
        """Wait until a container has ended, but not for long."""
        with contextlib.suppress(SandboxError):
            await self._call(lambda: self._client.api.wait(container, timeout=patience_s))

    async def written_bytes(self, container: str) -> int:
        """What a container has written, by the engine's own count."""
        found = await self._call(lambda: self._client.api.containers(all=True, size=True, filters={"id": container}))
        return int(found[0].get("SizeRw", 0)) if found else 0

    async def added_bytes(self, tag: str) -> int:
        """Bytes of an image's newest layer."""
        history = await self._call(lambda: self._client.api.history(tag))
        return int(history[0]["Size"]) if history else 0

    async def inspect(self, container: str) -> dict[str, Any]:
        """What the engine knows of a container."""
        return dict(await self._call(lambda: self._client.api.inspect_container(container)))

    async def commit(self, container: str, tag: str) -> tuple[str, int]:
        """Keep a container's files as an image under `tag`; returns its digest and size in bytes."""
        name, _, version = tag.partition(":")
        labels = f"LABEL {LABEL}={self._owner}"
        made = await self._call(lambda: self._client.api.commit(container, repository=name, tag=version, pause=False, changes=[labels]))
        image = await self._call(lambda: self._client.api.inspect_image(made["Id"]))
        return str(image["Id"]), int(image["Size"])

    async def retag(self, tag: str, other: str) -> None:
        """Let an image be known under another name too."""
        name, _, version = other.partition(":")
        await self._call(lambda: self._client.api.tag(tag, name, version))

    async def digest(self, tag: str) -> str | None:
        """The digest of an image, None if it is gone."""
        try:
            return str((await self._call(lambda: self._client.api.inspect_image(tag)))["Id"])
        except Gone:
            return None

    async def save(self, tag: str, file: Path) -> None:
        """Write an image with all its layers to a file."""

        def write() -> None:
            with file.open("wb") as out:
                for piece in self._client.api.get_image(tag):
                    out.write(piece)

        await self._call(write)

    async def load(self, file: Path) -> None:
        """Read what `save` wrote."""

        def read() -> None:
            with file.open("rb") as data:
                self._client.images.load(data)

        await self._call(read)

    async def remove(self, container: str) -> None:
        """Remove a container and its files; no error if it is gone."""
        with contextlib.suppress(Gone):
            await self._call(lambda: self._client.api.remove_container(container, force=True, v=True))

    async def untag(self, tag: str) -> None:
        """Forget an image; one that a container still rests on stays until a sweep finds it free."""
        with contextlib.suppress(Gone, InUse):
            await self._call(lambda: self._client.api.remove_image(tag))

    async def tags(self, name: str) -> list[str]:
        """All tags of images of this owner with a name."""
        found = await self._call(lambda: self._client.api.images(name, filters={"label": f"{LABEL}={self._owner}"}))
        return [tag for entry in found for tag in entry["RepoTags"] or ()]

    async def containers(self) -> dict[str, str]:
        """Ids of all containers of this owner, by name."""
        found = await self._call(lambda: self._client.api.containers(all=True, filters={"label": f"{LABEL}={self._owner}"}))
        return {str(entry["Names"][0]).lstrip("/"): str(entry["Id"]) for entry in found}

    async def prune(self) -> None:
        """Remove images of this owner that nobody knows any more; each time those on which no other rests."""
        filters = {"dangling": True, "label": f"{LABEL}={self._owner}"}
        while (await self._call(lambda: self._client.api.prune_images(filters=filters)))["ImagesDeleted"]:
            pass

    async def _call(self, work: Callable[[], _T]) -> _T:
        try:
            return await asyncio.to_thread(work)
        except docker.errors.NotFound as error:
            raise Gone(f"the Docker engine does not have it any more: {error.explanation}") from error
        except docker.errors.DockerException as error:
            words = str(getattr(error, "explanation", "") or error)
            if isinstance(error, docker.errors.APIError) and error.status_code == 409:
                raise InUse(f"the Docker engine refused: {words}") from error
            if "no space left" in words.lower():
                raise DiskFull(28, f"the Docker engine has no room left: {words}") from error
            raise SandboxError(f"the Docker engine refused: {words}") from error
        except requests.RequestException as error:
            raise SandboxError(f"the Docker engine did not answer within {DEADLINE_S} s: {error}") from error


def _skeleton_archive(fs: Rootfs) -> bytes:
    """The skeleton as a tar file in which the box's folders belong to its user."""
    owned: Mapping[str, int] = dict.fromkeys(BOX_FOLDERS, 0o755) | {"tmp": 0o1777, "var/tmp": 0o1777}

    def owner(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = _UID if entry.name in owned else 0
        entry.uname = entry.gname = ""
        entry.mode = owned.get(entry.name, entry.mode)
        return entry

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(fs.skeleton.rglob("*")):
            archive.add(path, arcname=str(path.relative_to(fs.skeleton)), recursive=False, filter=owner)
        archive.addfile(tarfile.TarInfo("tmp/.kept"))  # runsc mounts a tmpfs over an empty /tmp, and snapshots would lose what is there
    return buffer.getvalue()
