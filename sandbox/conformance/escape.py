"""Ways out of a box that were ways out of others. Each probe only looks or knocks: nothing outside the box is changed."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncIterator
from pathlib import Path

from sandbox.box import BoxSpec, Command, Process
from sandbox.conformance.check import SMALL, a_box, expect, promise, python, shell
from sandbox.driver import Driver


@contextlib.asynccontextmanager
async def _listening() -> AsyncIterator[tuple[int, str, list[bytes]]]:
    """A TCP port on every address of the host and an abstract socket, and what anyone says to them."""
    heard: list[bytes] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(100))
        writer.close()

    name = f"box-review-{secrets.token_hex(8)}"
    abstract = socket.socket(socket.AF_UNIX)
    abstract.bind(f"\0{name}")
    async with await asyncio.start_server(hear, "0.0.0.0", 0) as tcp, await asyncio.start_unix_server(hear, sock=abstract):  # noqa: S104
        yield tcp.sockets[0].getsockname()[1], name, heard


@promise("ports and abstract sockets of the host cannot be reached", "escape")
async def _host_sockets(driver: Driver) -> None:
    async with _listening() as (port, name, heard), a_box(driver) as box:
        hosts = ["127.0.0.1", "0.0.0.0", "::1", "localhost", *_own_addresses(), "172.17.0.1", "169.254.169.254"]  # noqa: S104
        probe = _KNOCK.format(hosts=hosts, ports=[port, 6379, 2375, 22], name=name)
        expect((await python(box, probe, timeout_s=50)).stdout, b"", "reached")
        expect(heard, [], "what the host heard")


def _own_addresses() -> list[str]:
    """The host's address towards the world, if it has one. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(("192.0.2.1", 9))
        return [probe.getsockname()[0]]
    return []


@promise("names are not resolved", "escape")
async def _dns(driver: Driver) -> None:
    async with a_box(driver) as box:
        probe = (
            "import socket\nfor name in ('example.com', 'metadata.google.internal', 'host.docker.internal'):\n"
            " try: print(socket.getaddrinfo(name, 80))\n except OSError: pass\n"
            "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1)\n"
            "for server in ('127.0.0.53', '127.0.0.11', '8.8.8.8'):\n"
            " try: s.sendto(b'\\0' * 12, (server, 53)); print(server, s.recv(9))\n except OSError: pass"
        )
        expect((await python(box, probe, timeout_s=40)).stdout, b"", "answers")


@promise("other boxes cannot be seen, reached or signalled", "escape")
async def _other_boxes(driver: Driver) -> None:
    word = secrets.token_hex(12)
    listen = (
        "import socket, sys, time\na = socket.socket(socket.AF_UNIX); a.bind('\\0box-word'); a.listen()\n"
        "t = socket.create_server(('127.0.0.1', 4711)); print('up', flush=True); time.sleep(60)"
    )
    async with a_box(driver, BoxSpec(limits=SMALL, env={"WORD": word})) as other, a_box(driver) as box:
        await other.write_file("/tmp/word", word.encode())  # noqa: S108  (in the box)
        async with other.start(Command(["python3", "-c", listen, word])) as process:
            await anext(process.output())
            seen = await box.exec(Command(["python3", "-c", _LOOK]), stdin=word.encode(), timeout_s=20)
            expect((seen.exit_code, seen.stdout), (0, b""), "where the other's word was seen")
            probe = _KNOCK.format(hosts=["127.0.0.1"], ports=[4711], name="box-word")
            expect((await python(box, probe)).stdout, b"", "reached")
            expect((await shell(box, "kill -TERM -1; sleep 0.1; true")).exit_code in (0, 143), True, "killing everyone in sight")
            expect(await _lives(process), True, "the other box's program")


async def _lives(process: Process) -> bool:
    """True if a program has not ended within a moment."""
    try:
        await asyncio.wait_for(process.wait(), 0.3)
    except TimeoutError:
        return True
    return False


@promise("no program gains rights by its set-uid bit", "escape")
async def _set_uid(driver: Driver) -> None:
    async with a_box(driver) as box:
        script = (
            "for p in $(find /usr/bin /usr/sbin /usr/lib -xdev -perm -4000 2>/dev/null | head -20); do timeout 2 $p --version </dev/null; done;"
            "cp /bin/sh mine; chmod 4755 mine; ./mine -pc 'id -u; grep CapEff /proc/self/status'"
        )
        out = (await shell(box, f"({script}) 2>/dev/null", timeout_s=50)).stdout
        expect(out.split()[-3:], [b"1000", b"CapEff:", b"0000000000000000"], "uid and capabilities")


@promise("raw sockets, device nodes, mounts and hardware are out of reach", "escape")
async def _devices(driver: Driver) -> None:
    async with a_box(driver) as box:
        seen = (await python(box, _HARDWARE)).stdout.split()
        virtual = (b"/dev/fuse", b"/dev/net/tun") if driver.capabilities.own_kernel else ()
        expect([path for path in seen if path not in virtual], [], "opened")


@promise("the host's programs cannot be overwritten through /proc", "escape")
async def _proc_exe(driver: Driver) -> None:
    async with a_box(driver) as box:
        seen = (await python(box, _PROC)).stdout.splitlines()
        virtual = (b"/proc/1/maps",) if driver.capabilities.own_kernel else ()
        expect([path for path in seen if path not in virtual], [], "opened")


@promise("control groups are not the box's to change", "escape")
async def _cgroups(driver: Driver) -> None:
    async with a_box(driver) as box:
        script = (
            "for f in $(find /sys/fs/cgroup -maxdepth 3 -type f 2>/dev/null | head -200); do (: >> $f) 2>/dev/null && [ -w $f ] && echo $f; done;"
            "mkdir /sys/fs/cgroup/x /sys/fs/cgroup/memory/x 2>/dev/null && echo made; true"
        )
        expect((await shell(box, script)).stdout, b"", "written")


@promise("paths and links of uploaded files lead nowhere but into the box", "escape")
async def _uploads(driver: Driver) -> None:
    async with a_box(driver) as box:
        mark = secrets.token_hex(8)
        await shell(box, f"mkdir /tmp/{mark}; ln -s /tmp/{mark} link; ln -s / root")
        await box.write_file(f"../../../../../../tmp/{mark}-a", b"1")
        await box.write_file("link/inner", b"2")
        await box.write_file(f"root/tmp/{mark}-b", b"3")
        archive = (
            "import io, tarfile\nt = tarfile.open('evil.tar', 'w')\n"
            f"for name in ('../../../../../tmp/{mark}-c', '/tmp/{mark}-d'):\n"
            " i = tarfile.TarInfo(name); i.size = 1; t.addfile(i, io.BytesIO(b'x'))\n"
            "i = tarfile.TarInfo('l'); i.type = tarfile.SYMTYPE; i.linkname = '/etc'; t.addfile(i)\n"
            "i = tarfile.TarInfo('l/x'); i.size = 1; t.addfile(i, io.BytesIO(b'x')); t.close()"
        )
        await python(box, archive)
        await shell(box, "tar -xPf evil.tar 2>/dev/null")
        expect(await asyncio.to_thread(_on_host, mark), [], "files on the host")


def _on_host(mark: str) -> list[str]:
    return [str(path) for folder in ("/tmp", "/etc", "/") for path in Path(folder).glob(f"*{mark}*")]  # noqa: S108


_KNOCK = """
import socket
for host in {hosts!r}:
    for port in {ports!r}:
        try:
            with socket.create_connection((host, port), 1) as s:
                s.sendall(b'knock')
                print(host, port)
        except OSError:
            pass
for path in ('\\0{name}', '/run/docker.sock', '/var/run/docker.sock', '/run/dbus/system_bus_socket', '/run/systemd/private'):
    try:
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)
            s.sendall(b'knock')
            print(path)
    except OSError:
        pass
"""

_HARDWARE = """
import os, socket, stat
for family, kind, protocol in ((socket.AF_INET, socket.SOCK_RAW, 1), (17, socket.SOCK_RAW, 3), (40, socket.SOCK_STREAM, 0)):
    try:
        s = socket.socket(family, kind, protocol)
        if family == 40: s.settimeout(1); s.connect((2, 22))
        print('socket', family)
    except (OSError, ValueError):
        pass
for kind, name, major, minor in ((stat.S_IFBLK, 'b', 254, 0), (stat.S_IFCHR, 'c', 1, 1)):
    try:
        os.mknod('/tmp/node-' + name, kind | 0o600, os.makedev(major, minor)); os.open('/tmp/node-' + name, os.O_RDONLY); print('node', name)
    except OSError:
        pass
for path in ('/dev/mem', '/dev/kmem', '/dev/port', '/dev/kvm', '/dev/fuse', '/dev/net/tun', '/dev/vda', '/dev/sda', '/dev/kmsg', '/dev/loop-control', '/dev/uinput', '/dev/vhost-net'):
    try:
        os.open(path, os.O_RDONLY); print(path)
    except OSError:
        pass
"""

_PROC = """
import glob, os
kept = ['/proc/1/root/etc/shadow', '/proc/1/cwd/../../../root/.bashrc', '/proc/self/root/root', '/proc/kcore', '/proc/kmsg', '/proc/keys',
        '/proc/timer_list', '/proc/sched_debug', '/proc/1/maps', '/proc/1/mem']
for paths, flags in ((kept, os.O_RDONLY), ([*glob.glob('/proc/[0-9]*/exe'), '/proc/self/exe', '/proc/sys/kernel/core_pattern'], os.O_WRONLY)):
    for path in paths:
        try:
            fd = os.open(path, flags | os.O_NONBLOCK)
            if flags == os.O_WRONLY or os.read(fd, 1):
                print(path)
        except OSError:
            pass
"""

_LOOK = """
import glob, sys
word = sys.stdin.buffer.read()
for path in [*glob.glob('/proc/[0-9]*/environ'), *glob.glob('/proc/[0-9]*/cmdline'), *glob.glob('/tmp/*')]:
    try:
        with open(path, 'rb') as file:
            if word in file.read():
                print(path)
    except OSError:
        pass
"""
