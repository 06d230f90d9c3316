"""Programs: results, streams, deadlines, terminals."""

from __future__ import annotations

import asyncio

from sandbox.box import BoxSpec, BoxState, Command
from sandbox.conformance.check import SMALL, a_box, expect, promise, shell
from sandbox.driver import Driver
from sandbox.errors import BadRequest


@promise("stdout and stderr come separately, with the exit code", "exec")
async def _streams(driver: Driver) -> None:
    async with a_box(driver) as box:
        result = await shell(box, "echo out; echo err >&2; exit 3")
        expect((result.stdout, result.stderr, result.exit_code, result.signal), (b"out\n", b"err\n", 3, None), "result")


@promise("a program ended by a signal says which", "exec")
async def _signal(driver: Driver) -> None:
    async with a_box(driver) as box:
        result = await shell(box, "kill -TERM $$")
        expect((result.exit_code, result.signal), (143, 15), "exit code and signal")


@promise("a missing program is 127, one that cannot be run is 126", "exec")
async def _missing(driver: Driver) -> None:
    async with a_box(driver) as box:
        expect((await box.exec(Command(["no-such-program"]), timeout_s=5)).exit_code, 127, "missing program")
        expect((await box.exec(Command(["/etc"]), timeout_s=5)).exit_code, 126, "a folder as program")
        expect((await box.exec(Command(["true"], cwd="/nowhere"), timeout_s=5)).exit_code, 126, "missing folder")


@promise("stdin is read as given, and is empty otherwise", "exec")
async def _stdin(driver: Driver) -> None:
    async with a_box(driver) as box:
        data = bytes(range(256)) * 2000
        result = await box.exec(Command(["cat"]), timeout_s=10, stdin=data, max_output_bytes=len(data))
        expect(result.stdout == data, True, "half a megabyte through stdin")
        expect((await box.exec(Command(["cat"]), timeout_s=5)).stdout, b"", "no stdin")


@promise("output beyond the cap is counted, not kept", "exec")
async def _cap(driver: Driver) -> None:
    async with a_box(driver) as box:
        result = await box.exec(Command(["head", "-c", "300000", "/dev/zero"]), timeout_s=10, max_output_bytes=1000)
        expect((len(result.stdout), result.dropped_bytes), (1000, 299_000), "kept and dropped")


@promise("output is streamed while the program runs", "exec")
async def _stream(driver: Driver) -> None:
    async with a_box(driver) as box, box.start(Command(["sh", "-c", "echo one; read answer; echo got $answer"])) as process:
        output = process.output()
        expect(await anext(output), ("stdout", b"one\n"), "first piece before the end")
        await process.write(b"two\n")
        expect(await anext(output), ("stdout", b"got two\n"), "answer to stdin")
        expect(await process.wait(), 0, "exit code")


@promise("a deadline kills everything the program started", "exec")
async def _deadline(driver: Driver) -> None:
    async with a_box(driver) as box:
        result = await shell(box, "sleep 71 & setsid sleep 72 & trap '' TERM; sleep 73", timeout_s=0.5)
        expect((result.timed_out, result.duration_s < 5), (True, True), "timed out, and soon")
        expect((await shell(box, "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 'sleep 7[0-9]'")).stdout, b"0\n", "left over")


@promise("arguments may hold any byte but NUL", "exec")
async def _bytes(driver: Driver) -> None:
    async with a_box(driver) as box:
        expect((await box.exec(Command([b"printf", b"%s", b"\xff\n\x1b[31m"]), timeout_s=5)).stdout, b"\xff\n\x1b[31m", "bytes")
        for argv in (["echo", "a\0b"], []):
            try:
                await box.exec(Command(argv), timeout_s=5)
            except BadRequest:
                continue
            raise AssertionError(f"{argv!r} was accepted")


@promise("the environment is the box's own", "exec")
async def _environment(driver: Driver) -> None:
    async with a_box(driver, BoxSpec(limits=SMALL, env={"GIVEN": "1"})) as box:
        out = (await box.exec(Command(["env"], env={"MORE": "2"}), timeout_s=5)).stdout.decode().split()
        names = {pair.partition("=")[0] for pair in out}
        expect(names - {"PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "PWD"}, {"GIVEN", "MORE"}, "variables")


@promise("a terminal has its size, resizes and takes ^C", "exec")
async def _terminal(driver: Driver) -> None:
    async with a_box(driver) as box, box.start(Command(["sh"], tty=(30, 100))) as process:
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


@promise("a session's program dies with its connection", "exec")
async def _session_end(driver: Driver) -> None:
    async with a_box(driver) as box:
        async with box.start(Command(["sleep", "77"])):
            expect(box.state, BoxState.RUNNING, "state meanwhile")
        expect((await shell(box, "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -c 'sleep 7[0-9]'")).stdout, b"0\n", "left over")
        expect(box.state, BoxState.IDLE, "state after")


@promise("thirty commands at once get their own answers", "exec")
async def _parallel(driver: Driver) -> None:
    async with a_box(driver) as box:
        results = await asyncio.gather(*(shell(box, f"echo {number}") for number in range(30)))
        expect([int(result.stdout) for result in results], list(range(30)), "answers")
