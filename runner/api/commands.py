"""Routes that run commands and code: answered whole, or as a stream with a marker at its end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response, StreamingResponse

from runner.api.context import Named, UsedBox
from runner.api.errors import BadInput
from runner.api.runs import RunCancelled
from runner.api.wire import Code, Exec
from runner.api.work import MAX_OUTPUT_BYTES, MAX_S, folder_of
from sandbox.box import Command, ExecResult
from sandbox.errors import SandboxError

PATIENCE_S = 20.0  # then the answer's first byte goes out: some clients wait 300 s for one, and no longer
_LANGUAGES = {
    "js": ("node", "-e"),
    "python": ("python3", "-c"),
}
router = APIRouter(prefix="/v2/box/{box_id}")


def code_command(body: Code) -> Command:
    """The command that runs a piece of code. Raises BadInput."""
    if body.language not in _LANGUAGES:
        raise BadInput(f"language: {body.language} is not available on this server; {' and '.join(_LANGUAGES)} are")
    if len(body.code.encode()) > 120_000:
        raise BadInput("code: at most 120,000 bytes; write longer code to a file and run that")
    return Command((*_LANGUAGES[body.language], body.code), cwd=folder_of(body.folder))


@router.post("/exec")
async def execute(used: UsedBox, body: Exec) -> Response:
    """Run a command to its end. A command that fails is an answer, not an error."""
    return await _whole(used, Command(body.command, cwd=folder_of(body.folder or body.work_dir)), MAX_S)


@router.post("/code")
async def code(used: UsedBox, body: Code) -> Response:
    """Run a piece of code to its end."""
    return await _whole(used, code_command(body), body.timeout / 1000 if body.timeout else MAX_S)


@router.post("/exec-stream")
async def execute_stream(used: UsedBox, body: Exec) -> Response:
    """Run a command and send its output as it comes."""
    return StreamingResponse(
        _stream(used, Command(body.command, cwd=folder_of(body.folder or body.work_dir)), MAX_S), media_type="text/event-stream"
    )


@router.post("/code-stream")
async def code_stream(used: UsedBox, body: Code) -> Response:
    """Run a piece of code and send its output as it comes."""
    return StreamingResponse(
        _stream(used, code_command(body), body.timeout / 1000 if body.timeout else MAX_S), media_type="text/event-stream"
    )


async def _whole(used: Named, command: Command, timeout_s: float) -> Response:
    """The answer, or after a while one whose status and first bytes go out before the command has ended."""
    work = asyncio.ensure_future(_recorded(used, command, timeout_s))
    done, _ = await asyncio.wait([work], timeout=PATIENCE_S)
    if done:
        return JSONResponse(work.result())

    async def trickle() -> AsyncIterator[bytes]:
        while not work.done():
            yield b" "  # which JSON allows
            await asyncio.wait([work], timeout=PATIENCE_S)
        yield json.dumps(work.result()).encode()

    return StreamingResponse(trickle(), media_type="application/json")


async def _recorded(used: Named, command: Command, timeout_s: float) -> dict[str, Any]:
    with used.run(command) as working:
        try:
            result = await working.do(used.box.exec(command, timeout_s=timeout_s, max_output_bytes=MAX_OUTPUT_BYTES))
        except RunCancelled:
            return {"exit_code": 130, "output": "", "error": "box: the run was cancelled"}
        working.run.status = "completed" if result.exit_code == 0 else "failed"
    answer = {"exit_code": result.exit_code, "output": result.stdout.decode("utf-8", "replace")}
    if error := result.stderr.decode("utf-8", "replace") + _why(result, timeout_s):
        answer["error"] = error
    return answer


def _why(result: ExecResult, timeout_s: float) -> str:
    """What ended a command that did not end by itself."""
    if result.timed_out:
        return f"\nbox: ended after {timeout_s:g} s"
    if result.limit:
        return f"\nbox: ended by the box's limit of {result.limit}"
    return f"\nbox: {result.dropped_bytes} more bytes of output were thrown away" if result.dropped_bytes else ""


async def _stream(used: Named, command: Command, timeout_s: float) -> AsyncIterator[bytes]:
    """Output of both streams as it comes, then the marker in a piece of its own. Ends the command when the caller goes."""
    try:
        with used.run(command) as working:
            async with used.box.start(command) as process, asyncio.timeout(timeout_s):
                working.on_cancel = process.kill
                async for _, data in process.output():
                    yield data
                code = await process.wait()
            working.run.status = "completed" if code == 0 else "failed"
        yield _marker("exit", {"exit_code": code if code >= 0 else 128 - code, "cpu_ns": 0})
    except (SandboxError, TimeoutError) as error:
        yield _marker("error", {"error": str(error) or f"ended after {timeout_s:g} s"})


def _marker(name: str, payload: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(payload)}\n\n".encode()
