"""What every driver promises, as a list of checks that run against a real one.

The tests run the list, and so does `box-review doctor` on a user's host. A check gets an open driver, makes its
own boxes and raises `AssertionError` (or any error) when the promise is broken. Probes of isolation
only read: they change nothing outside the box they run in.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sandbox.box import Box, BoxSpec, BoxState, Command, Driver, ExecResult, Freeze
from sandbox.errors import BadRequest, BoxBusy, BoxDead, BoxFileError, BoxNotFound
from sandbox.limits import Limits

MIB = 1 << 20
SMALL = Limits(memory_bytes=512 * MIB, pids=64, cpus=1, disk_bytes=64 * MIB)


@dataclass(frozen=True, slots=True)
class Check:
    """One promise: `name` in words of a sentence, `area` for grouping, `run` to try it."""

    name: str
    area: str
    run: Callable[[Driver], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one check; `problem` is None when the promise holds."""

    check: Check
    problem: str | None
    duration_s: float


CHECKS: list[Check] = []


async def run_checks(driver: Driver, checks: Sequence[Check] | None = None) -> AsyncIterator[Outcome]:
    """Run the checks one after the other; each has a minute."""
    for check in CHECKS if checks is None else checks:
        started = time.monotonic()
        problem: str | None = None
        try:
            async with asyncio.timeout(60):
                await check.run(driver)
        except Exception as error:  # a broken promise may show as any error; it becomes the outcome
            problem = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        yield Outcome(check, problem, time.monotonic() - started)


def _promise(name: str, area: str) -> Callable[[Callable[[Driver], Awaitable[None]]], Callable[[Driver], Awaitable[None]]]:
    def register(function: Callable[[Driver], Awaitable[None]]) -> Callable[[Driver], Awaitable[None]]:
        CHECKS.append(Check(name, area, function))
        return function

    return register


@contextlib.asynccontextmanager
async def _box(driver: Driver, spec: BoxSpec | None = None) -> AsyncIterator[Box]:
    box = await driver.create(spec or BoxSpec(limits=SMALL))
    try:
        yield box
    finally:
        await box.delete()


async def _sh(box: Box, script: str, *, timeout_s: float = 20.0) -> ExecResult:
    return await box.exec(Command(["sh", "-c", script]), timeout_s=timeout_s)


async def _python(box: Box, script: str, *, timeout_s: float = 20.0) -> ExecResult:
    return await box.exec(Command(["python3", "-I", "-S", "-c", script]), timeout_s=timeout_s)


def _expect(actual: object, expected: object, what: str) -> None:
    if actual != expected:
        raise AssertionError(f"{what}: expected {expected!r}, got {actual!r}")


# Exec


@_promise("stdout and stderr come separately, with the exit code", "exec")
async def _streams(driver: Driver) -> None:
    async with _box(driver) as box:
        result = await _sh(box, "echo out; echo err >&2; exit 3")
        _expect((result.stdout, result.stderr, result.exit_code, result.signal), (b"out\n", b"err\n", 3, None), "result")


@_promise("a program ended by a signal says which", "exec")
async def _signal(driver: Driver) -> None:
    async with _box(driver) as box:
        result = await _sh(box, "kill -TERM $$")
        _expect((result.exit_code, result.signal), (143, 15), "exit code and signal")


@_promise("a missing program is 127, one that cannot be run is 126", "exec")
async def _missing(driver: Driver) -> None:
    async with _box(driver) as box:
        _expect((await box.exec(Command(["no-such-program"]), timeout_s=5)).exit_code, 127, "missing program")
        _expect((await box.exec(Command(["/etc"]), timeout_s=5)).exit_code, 126, "a folder as program")
        _expect((await box.exec(Command(["true"], cwd="/nowhere"), timeout_s=5)).exit_code, 126, "missing folder")


@_promise("stdin is read as given, and is empty otherwise", "exec")
async def _stdin(driver: Driver) -> None:
    async with _box(driver) as box:
        data = bytes(range(256)) * 2000
        result = await box.exec(Command(["cat"]), timeout_s=10, stdin=data, max_output_bytes=len(data))
        _expect(result.stdout == data, True, "half a megabyte through stdin")
        _expect((await box.exec(Command(["cat"]), timeout_s=5)).stdout, b"", "no stdin")


@_promise("output beyond the cap is counted, not kept", "exec")
async def _cap(driver: Driver) -> None:
    async with _box(driver) as box:
        result = await box.exec(Command(["head", "-c", "300000", "/dev/zero"]), timeout_s=10, max_output_bytes=1000)
        _expect((len(result.stdout), result.dropped_bytes), (1000, 299_000), "kept and dropped")


@_promise("output is streamed while the program runs", "exec")
async def _stream(driver: Driver) -> None:
    async with _box(driver) as box, box.start(Command(["sh", "-c", "echo one; read answer; echo got $answer"])) as process:
        output = process.output()
        _expect(await anext(output), ("stdout", b"one\n"), "first piece before the end")
        await process.write(b"two\n")
        _expect(await anext(output), ("stdout", b"got two\n"), "answer to stdin")
        _expect(await process.wait(), 0, "exit code")


@_promise("a deadline kills everything the program started", "exec")
async def _deadline(driver: Driver) -> None:
    async with _box(driver) as box:
        result = await _sh(box, "sleep 71 & setsid sleep 72 & trap '' TERM; sleep 73", timeout_s=0.5)
        _expect((result.timed_out, result.duration_s < 5), (True, True), "timed out, and soon")
        _expect((await _sh(box, "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 'sleep 7[0-9]'")).stdout, b"0\n", "left over")


@_promise("arguments may hold any byte but NUL", "exec")
async def _bytes(driver: Driver) -> None:
    async with _box(driver) as box:
        _expect((await box.exec(Command([b"printf", b"%s", b"\xff\n\x1b[31m"]), timeout_s=5)).stdout, b"\xff\n\x1b[31m", "bytes")
        for argv in (["echo", "a\0b"], []):
            try:
                await box.exec(Command(argv), timeout_s=5)
            except BadRequest:
                continue
            raise AssertionError(f"{argv!r} was accepted")


@_promise("the environment is the box's own", "exec")
async def _environment(driver: Driver) -> None:
    async with _box(driver, BoxSpec(limits=SMALL, env={"GIVEN": "1"})) as box:
        out = (await box.exec(Command(["env"], env={"MORE": "2"}), timeout_s=5)).stdout.decode().split()
        names = {pair.partition("=")[0] for pair in out}
        _expect(names - {"PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "PWD"}, {"GIVEN", "MORE"}, "variables")


@_promise("a terminal has its size, resizes and takes ^C", "exec")
async def _terminal(driver: Driver) -> None:
    async with _box(driver) as box, box.start(Command(["sh"], tty=(30, 100))) as process:
        seen = bytearray()

        async def until(word: bytes) -> None:
            async with asyncio.timeout(10):
                async for _, data in output:
                    seen.extend(data)
                    if word in seen:
                        return
            raise AssertionError(f"{word!r} did not appear in {bytes(seen)!r}")

        output = process.output()
        await process.write(b"stty size\n")
        await until(b"30 100")
        process.resize(50, 120)
        await process.write(b"stty size\n")
        await until(b"50 120")
        await process.write(b"sleep 60; echo code=$?\n")
        await asyncio.sleep(0.2)
        await process.write(b"\x03")
        await process.write(b"echo after=$?\n")
        await until(b"after=130")


@_promise("a session's program dies with its connection", "exec")
async def _session_end(driver: Driver) -> None:
    async with _box(driver) as box:
        async with box.start(Command(["sleep", "77"])):
            _expect(box.state, BoxState.RUNNING, "state meanwhile")
        _expect((await _sh(box, "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 'sleep 7[0-9]'")).stdout, b"0\n", "left over")
        _expect(box.state, BoxState.IDLE, "state after")


@_promise("thirty commands at once get their own answers", "exec")
async def _parallel(driver: Driver) -> None:
    async with _box(driver) as box:
        results = await asyncio.gather(*(_sh(box, f"echo {number}") for number in range(30)))
        _expect([int(result.stdout) for result in results], list(range(30)), "answers")


# Files


@_promise("files are written, read in ranges, listed, moved and removed", "files")
async def _files(driver: Driver) -> None:
    async with _box(driver) as box:
        await box.write_file("deep/er/file.bin", b"0123456789" * 20_000, mode=0o750)
        _expect(await box.read_file("deep/er/file.bin", offset=5, length=10), b"5678901234", "range")
        info = await box.stat("deep/er/file.bin")
        _expect((info.kind, info.mode, info.size), ("file", 0o750, 200_000), "stat")
        await box.rename("deep/er", "moved")
        await box.mkdir("moved/sub/sub")
        _expect([(entry.name, entry.kind) for entry in await box.list_dir("moved")], [("file.bin", "file"), ("sub", "dir")], "listing")
        await box.remove("moved")
        _expect([entry.name for entry in await box.list_dir(".")], ["deep"], "what is left")


@_promise("file errors carry errno and path", "files")
async def _file_errors(driver: Driver) -> None:
    async with _box(driver) as box:
        for call, number in ((box.read_file("missing"), 2), (box.read_file("/etc"), 21), (box.write_file("/usr/x", b""), 30)):
            try:
                await call
            except BoxFileError as error:
                _expect(error.errno, number, f"errno of {error}")
            else:
                raise AssertionError(f"errno {number} was expected")


@_promise("file names may hold any byte but NUL and slash", "files")
async def _names(driver: Driver) -> None:
    async with _box(driver) as box:
        names = ["-rf", "new\nline", "esc\x1b[2J", "bad\udcff", " space "]
        for name in names:
            await box.write_file(f"odd/{name}", name.encode("utf-8", "surrogateescape"))
        _expect({entry.name for entry in await box.list_dir("odd")}, set(names), "names")
        _expect(await box.read_file("odd/bad\udcff"), b"bad\xff", "content")


@_promise("a named pipe or device cannot hang a read", "files")
async def _pipe(driver: Driver) -> None:
    async with _box(driver) as box:
        await _sh(box, "mkfifo pipe")
        for path in ("pipe", "/dev/zero"):
            try:
                await asyncio.wait_for(box.read_file(path), 5)
            except BoxFileError:
                continue
            raise AssertionError(f"{path} was read")


@_promise("a link to a host file leads nowhere", "files")
async def _links(driver: Driver) -> None:
    async with _box(driver) as box:
        await _sh(box, "ln -s /etc/shadow shadow; ln -s / root")
        for path in ("shadow", "root/root/.bashrc"):
            try:
                await box.read_file(path)
            except BoxFileError:
                continue
            raise AssertionError(f"{path} was read")


# Snapshots


@_promise("a snapshot keeps the files of its moment, and forks are independent", "snapshots")
async def _snapshot(driver: Driver) -> None:
    async with _box(driver) as box:
        await box.write_file("kept", b"1")
        await box.write_file("gone", b"1")
        snapshot = await box.snapshot()
        await box.write_file("kept", b"2")
        await box.remove("gone")
        async with (
            _box(driver, BoxSpec(limits=SMALL, snapshot=snapshot)) as one,
            _box(driver, BoxSpec(limits=SMALL, snapshot=snapshot)) as two,
        ):
            await one.write_file("kept", b"3")
            values = [await entry.read_file("kept") for entry in (box, one, two)]
            _expect(values, [b"2", b"3", b"1"], "the three files")
            _expect(await two.read_file("gone"), b"1", "removed later")
        await driver.delete_snapshot(snapshot)
        try:
            await driver.create(BoxSpec(snapshot=snapshot))
        except BoxNotFound:
            return
        raise AssertionError("a deleted snapshot was used")


@_promise("a fork outlives the box it came from, and removed files stay removed", "snapshots")
async def _fork(driver: Driver) -> None:
    async with _box(driver) as box:
        await box.write_file("tree/a", b"a")
        await box.write_file("tree/b", b"b")
        first = await driver.fork(box)
    try:
        await first.remove("tree/a")
        second = await driver.fork(first)
        try:
            _expect([entry.name for entry in await second.list_dir("tree")], ["b"], "files of the second fork")
            _expect((await _sh(second, "rm -r tree && mkdir tree && ls -A tree")).stdout, b"", "a folder made anew")
            third = await driver.fork(second)
            _expect([entry.name for entry in await third.list_dir("tree")], [], "files of the third fork")
            await third.delete()
        finally:
            await second.delete()
    finally:
        await first.delete()


@_promise("a snapshot of a busy box does not disturb its processes", "snapshots")
async def _busy_snapshot(driver: Driver) -> None:
    async with _box(driver) as box, box.start(Command(["sh", "-c", "echo ready; read x; echo $x"])) as process:
        output = process.output()
        await anext(output)
        await box.write_file("f", b"1")
        async with _box(driver, BoxSpec(limits=SMALL, snapshot=await box.snapshot())) as copy:
            _expect(await copy.read_file("f"), b"1", "file in the fork")
        await process.write(b"alive\n")
        _expect(await anext(output), ("stdout", b"alive\n"), "the process after")


@_promise("forty generations of forks still start", "snapshots")
async def _generations(driver: Driver) -> None:
    box = await driver.create(BoxSpec(limits=SMALL))
    for number in range(40):
        await box.write_file(f"g{number}", b"")
        if number:
            await box.remove(f"g{number - 1}")
        child = await driver.fork(box)
        await box.delete()
        box = child
    names = [entry.name for entry in await box.list_dir(".")]
    await box.delete()
    _expect(names, ["g39"], "files of the last one")


# Freezing


@_promise("a warm freeze stops processes where they stand, and they go on", "freezing")
async def _warm(driver: Driver) -> None:
    async with _box(driver) as box, box.start(Command(["sh", "-c", "while :; do echo x; sleep 0.02; done"])) as process:
        output = process.output()
        await anext(output)
        report = await box.freeze(Freeze.WARM)
        _expect((report.memory, box.state, box.frozen), (True, BoxState.PAUSED, Freeze.WARM), "report and state")
        with contextlib.suppress(TimeoutError):
            while True:  # what was written before the freeze
                await asyncio.wait_for(anext(output), 0.2)
        try:
            await _sh(box, "true")
        except BoxBusy:
            pass
        else:
            raise AssertionError("a frozen box ran a command")
        await box.resume()
        fresh = process.output()
        _expect((await asyncio.wait_for(anext(fresh), 5))[1][:1], b"x", "output after")


@_promise("a cold freeze keeps every file as it was", "freezing")
async def _cold(driver: Driver) -> None:
    async with _box(driver) as box:
        await box.write_file("old", b"x")
        base = await box.snapshot()
        async with _box(driver, BoxSpec(limits=SMALL, snapshot=base)) as fork:
            script = (
                "rm old; echo data > 'odd\nname'; ln -s odd* link; ln odd* hard; mkdir -m 000 closed; echo s > secret; chmod 000 secret;"
                "echo t > /tmp/kept; touch -d @1000000000 dated; truncate -s 10M sparse; mkfifo pipe"
            )
            _expect((await _sh(fork, script)).exit_code, 0, "preparation")
            look = "ls -lA --time-style=+%s . /tmp | grep -v ^total; stat -c %h hard; chmod 400 secret; cat secret; chmod 000 secret"
            before = (await _sh(fork, look)).stdout
            report = await fork.freeze(Freeze.COLD)
            _expect((fork.state, fork.frozen, report.image_bytes > 0), (BoxState.PAUSED, Freeze.COLD, True), "state")
            _expect(driver.get(fork.id).state, BoxState.PAUSED, "state as the driver tells it")
            await fork.resume()
            _expect((await _sh(fork, look)).stdout, before, "files after")
        await driver.delete_snapshot(base)


@_promise("a cold freeze that would lose a running command is refused", "freezing")
async def _cold_busy(driver: Driver) -> None:
    if driver.capabilities.freezes_memory:
        return
    async with _box(driver) as box, box.start(Command(["cat"])) as process:
        try:
            await box.freeze(Freeze.COLD)
        except BoxBusy:
            await process.write(b"still here")
            _expect(await anext(process.output()), ("stdout", b"still here"), "the command after")
            return
        raise AssertionError("the freeze was not refused")


@_promise("ten freezes in a row lose nothing", "freezing")
async def _cycles(driver: Driver) -> None:
    async with _box(driver) as box:
        for number in range(10):
            await box.write_file(f"f{number}", str(number).encode())
            await box.freeze(Freeze.COLD)
            await box.resume()
        _expect([entry.name for entry in await box.list_dir(".")], [f"f{number}" for number in range(10)], "files")


# Isolation


@_promise("there is no network", "isolation")
async def _network(driver: Driver) -> None:
    async with _box(driver) as box:
        _expect((await _sh(box, "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '")).stdout, b"lo\n", "interfaces")
        probe = "import socket\ntry: socket.create_connection(('192.0.2.1', 80), 2)\nexcept OSError as e: print(e.errno)"
        _expect((await _python(box, probe)).stdout, b"101\n", "connecting (101 is: network unreachable)")


@_promise("files, processes and devices of the host are not there", "isolation")
async def _host(driver: Driver) -> None:
    async with _box(driver) as box:
        script = "ls -d /root /home /mnt /srv /sys /boot /etc/shadow /etc/ssh /var/lib /var/log /run/* /dev/sd* /dev/vd* /dev/kmsg /dev/mem 2>/dev/null"
        _expect((await _sh(box, script)).stdout, b"", "visible")
        pids = (await _sh(box, "ls /proc | grep -c '^[0-9]'")).stdout
        _expect(int(pids) < 8, True, f"{int(pids)} processes")


@_promise("programs have no capabilities and cannot gain any", "isolation")
async def _capabilities(driver: Driver) -> None:
    async with _box(driver) as box:
        wanted = b"CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\n"
        _expect((await _sh(box, "grep -E 'Cap(Prm|Eff|Bnd)|NoNewPrivs' /proc/self/status")).stdout, wanted, "status")


@_promise("the box is not uid 0 of the host", "isolation")
async def _uid(driver: Driver) -> None:
    async with _box(driver) as box, box.start(Command(["sleep", "79.25"])):
        await asyncio.sleep(0.1)
        _expect([uid for uid in _host_uids(b"sleep\x0079.25\0") if uid == 0], [], "uids of its processes on the host")
        _expect((await _sh(box, "id -u")).stdout, b"1000\n", "uid within")


@_promise("settings of the kernel cannot be written", "isolation")
async def _sysctl(driver: Driver) -> None:
    async with _box(driver) as box:
        probe = "import os\nfor p in ('/proc/sys/kernel/core_pattern', '/proc/sysrq-trigger'):\n try: os.close(os.open(p, os.O_WRONLY)); print(p)\n except OSError: pass"
        _expect((await _python(box, probe)).stdout, b"", "could be opened")


@_promise("keyrings, ptrace, new namespaces, io_uring and typing into the terminal are refused", "isolation")
async def _syscalls(driver: Driver) -> None:
    async with _box(driver) as box:
        _expect((await _python(box, _SYSCALLS)).stdout, b"", "allowed")


@_promise("the first process is out of reach of the others", "isolation")
async def _init(driver: Driver) -> None:
    async with _box(driver) as box:
        probe = "import os\nfor p in ('mem', 'fd', 'environ'):\n try: os.listdir('/proc/1/fd') if p == 'fd' else open('/proc/1/' + p, 'rb').read(1); print(p)\n except OSError: pass"
        _expect((await _python(box, probe)).stdout, b"", "could be opened")
        await _sh(box, "kill -KILL 1; kill -STOP 1; kill -TERM 1")
        _expect((await _sh(box, "echo alive")).stdout, b"alive\n", "after signals from within")


@_promise("the host's programs cannot be changed", "isolation")
async def _read_only(driver: Driver) -> None:
    async with _box(driver) as box:
        script = "for p in /usr/bin /usr/lib /.box /etc/passwd; do [ -d $p ] && p=$p/x; : > $p && echo $p; done 2>/dev/null; true"
        result = await _sh(box, script)
        _expect([line for line in result.stdout.split() if line.startswith((b"/usr", b"/.box"))], [], "written")


def _host_uids(command_line: bytes) -> list[int]:
    """Uids, as the host sees them, of all processes with this command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (folder / "cmdline").read_bytes() == command_line:
                found.append(folder.stat().st_uid)
    return found


# Limits


@_promise("memory beyond the limit ends the program, not the box", "limits")
async def _memory(driver: Driver) -> None:
    async with _box(driver, BoxSpec(limits=replace(SMALL, memory_bytes=128 * MIB))) as box:
        result = await _python(box, "x = bytearray(512 << 20); print(len(x))")
        _expect(result.exit_code != 0, True, "the program failed")
        if "memory" in driver.capabilities.limits:
            _expect(result.limit, "memory", "limit named")
        _expect((await _sh(box, "echo alive")).stdout, b"alive\n", "the box after")


@_promise("more processes than allowed cannot be started", "limits")
async def _pids(driver: Driver) -> None:
    async with _box(driver, BoxSpec(limits=replace(SMALL, pids=20))) as box:
        probe = "import os, time\nn = 0\ntry:\n for _ in range(60):\n  if os.fork() == 0: time.sleep(2); os._exit(0)\n  n += 1\nexcept OSError: pass\nprint(n)"
        result = await _python(box, probe)
        _expect(0 < int(result.stdout) <= 20, True, f"{int(result.stdout)} started")
        if "pids" in driver.capabilities.limits:
            _expect(result.limit, "pids", "limit named")


@_promise("writing more than the disk limit ends the program", "limits")
async def _disk(driver: Driver) -> None:
    async with _box(driver, BoxSpec(limits=replace(SMALL, disk_bytes=16 * MIB))) as box:
        one = await _sh(box, "head -c 40M /dev/zero > big")
        _expect(one.exit_code != 0, True, "one large file")
        many = await _sh(box, "i=0; while [ $i -lt 200 ]; do i=$((i+1)); head -c 4M /dev/zero > f$((i%10)); sleep 0.05; done")
        _expect((many.exit_code != 0, many.limit), (True, "disk"), "many files")


# Life and death


@_promise("a deleted box is gone, and deleting it again is no error", "life")
async def _delete(driver: Driver) -> None:
    async with _box(driver) as box:
        await box.delete()
        await box.delete()
        _expect(box.id in [other.id for other in driver.boxes()], False, "still listed")
        for call in (lambda: _sh(box, "true"), lambda: box.read_file("x")):
            try:
                await call()
            except BoxDead:
                continue
            raise AssertionError("a deleted box answered")


@_promise("an unknown box or snapshot is said to be unknown", "life")
async def _unknown(driver: Driver) -> None:
    for box_id in ("bx0000000000000000", "../../etc", ""):
        try:
            driver.get(box_id)
        except BoxNotFound:
            continue
        raise AssertionError(f"{box_id!r} was found")
    try:
        await driver.create(BoxSpec(snapshot="sn../../../etc"))
    except BoxNotFound:
        return
    raise AssertionError("an unknown snapshot was used")


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
