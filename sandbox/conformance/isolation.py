"""What a box cannot see or do. Probes only read: they change nothing outside the box they run in."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from pathlib import Path

from sandbox.box import Command
from sandbox.conformance.check import a_box, expect, promise, python, shell
from sandbox.driver import Driver


@promise("there is no network", "isolation")
async def _network(driver: Driver) -> None:
    async with a_box(driver) as box:
        expect((await shell(box, "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '")).stdout, b"lo\n", "interfaces")
        probe = "import socket\ntry: socket.create_connection(('192.0.2.1', 80), 2)\nexcept OSError as e: print(e.errno)"
        expect((await python(box, probe)).stdout in (b"101\n", b"113\n"), True, "network or host unreachable")


@promise("files, processes and devices of the host are not there", "isolation")
async def _host(driver: Driver) -> None:
    async with a_box(driver) as box:
        with tempfile.NamedTemporaryFile(prefix="box-review-", dir="/tmp") as mark:
            script = f"find / -xdev -name {Path(mark.name).name} 2>/dev/null; head -c 1 /etc/shadow 2>/dev/null; ls -d /proc/{os.getpid()}/"
            script += " /sys/class/net/* /sys/block/* /etc/ssh/*key /run/*.sock /dev/sd* /dev/vd* /dev/nvme* /dev/kmsg /dev/mem 2>/dev/null"
            expect((await shell(box, script)).stdout, b"", "visible")
        pids = (await shell(box, "ls /proc | grep -c '^[0-9]'")).stdout
        expect(int(pids) < 8, True, f"{int(pids)} processes")


@promise("programs have no capabilities and cannot gain any", "isolation")
async def _capabilities(driver: Driver) -> None:
    async with a_box(driver) as box:
        wanted = b"CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n"
        expect((await shell(box, "grep -E 'Cap(Prm|Eff|Bnd)' /proc/self/status")).stdout, wanted, "status")
        no_new_privileges = "import ctypes; print(ctypes.CDLL(None).prctl(39, 0, 0, 0, 0))"
        expect((await python(box, no_new_privileges)).stdout, b"1\n", "no new privileges")


@promise("the box is not uid 0 of the host", "isolation")
async def _uid(driver: Driver) -> None:
    async with a_box(driver) as box, box.start(Command(["sleep", "79.25"])):
        await asyncio.sleep(0.1)
        own = b"sleep\x0079.25\0" if not driver.capabilities.own_kernel else box.id.encode()
        uids = _host_uids(own)
        if not (driver.name == "docker" and driver.capabilities.own_kernel):  # its engine starts that kernel as root
            expect(bool(uids), True, "its processes were found on the host")
            expect([uid for uid in uids if uid == 0], [], "uids of its processes on the host")
        expect((await shell(box, "id -u")).stdout, b"1000\n", "uid within")


@promise("settings of the kernel cannot be written", "isolation")
async def _sysctl(driver: Driver) -> None:
    async with a_box(driver) as box:
        probe = "import os\nfor p in ('/proc/sys/kernel/core_pattern', '/proc/sysrq-trigger'):\n try: os.close(os.open(p, os.O_WRONLY)); print(p)\n except OSError: pass"
        expect((await python(box, probe)).stdout, b"", "could be opened")


@promise("keyrings, ptrace, new namespaces, io_uring and typing into the terminal are refused", "isolation")
async def _syscalls(driver: Driver) -> None:
    async with a_box(driver) as box:
        expect((await python(box, _SYSCALLS)).stdout, b"", "allowed")


@promise("the first process is out of reach of the others", "isolation")
async def _init(driver: Driver) -> None:
    async with a_box(driver) as box:
        expect((await python(box, _REACH_INIT)).stdout, b"", "could be opened")
        await shell(box, "kill -KILL 1; kill -STOP 1; kill -TERM 1")
        expect((await shell(box, "echo alive")).stdout, b"alive\n", "after signals from within")


@promise("the host's programs cannot be changed", "isolation")
async def _read_only(driver: Driver) -> None:
    async with a_box(driver) as box:
        script = "for p in /usr/bin /usr/lib /.box /etc/passwd; do [ -d $p ] && p=$p/x; : > $p && echo $p; done 2>/dev/null; true"
        result = await shell(box, script)
        expect([line for line in result.stdout.split() if line.startswith((b"/usr", b"/.box"))], [], "written")


def _host_uids(command_line: bytes) -> list[int]:
    """Uids, as the host sees them, of all processes whose command line holds this."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if command_line in (folder / "cmdline").read_bytes():
                found.append(folder.stat().st_uid)
    return found


_SYSCALLS = """
import ctypes, errno, fcntl, os, platform
libc = ctypes.CDLL(None, use_errno=True)
x86 = platform.machine() == 'x86_64'
calls = {
    'keyctl': (250 if x86 else 219, 0, -3, 0), 'add_key': (248 if x86 else 217, b'user', b'x', b'y', 1, -3),
    'ptrace': (101 if x86 else 117, 16, 1, 0, 0), 'unshare': (272 if x86 else 97, 0x10000000), 'io_uring': (425, 1, 0),
    'bpf': (321 if x86 else 280, 0, 0, 0), 'userfaultfd': (323 if x86 else 282, 0), 'perf': (298 if x86 else 241, 0, 0, -1, -1, 0),
    'mount': (165 if x86 else 40, b'none', b'/tmp', b'tmpfs', 0, 0), 'process_vm_readv': (310 if x86 else 270, 1, 0, 0, 0, 0, 0),
}
for name, (number, *args) in calls.items():
    ctypes.set_errno(0)
    if libc.syscall(number, *args) != -1 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS):
        print(name)
master, slave = os.openpty()
try:
    fcntl.ioctl(slave, 0x5412, b'x')
    print('TIOCSTI')
except OSError:
    pass
"""

_REACH_INIT = """
import os
def entries():
    try:
        return os.listdir('/proc/1/fd')
    except OSError:
        return []
for path in ['mem', 'stack', *('fd/' + name for name in entries())]:
    for flags in (os.O_RDONLY, os.O_WRONLY):
        try:
            opened = os.open('/proc/1/' + path, flags | os.O_NONBLOCK)
            os.write(opened, b'') if flags else os.read(opened, 1)
            print(path, flags)
        except OSError:
            pass
try:
    print([pair for pair in open('/proc/1/environ').read().split('\\0') if pair and not pair.startswith(('PATH=', 'HOME=', 'HOSTNAME='))] or '', end='')
except OSError:
    pass
"""
