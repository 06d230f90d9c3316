"""Live sessions: a program with its streams on one WebSocket, which ends when the connection does."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import signal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import Field, TypeAdapter, ValidationError

from runner.api.context import UsedBox
from runner.api.runs import OpenRun
from runner.api.wire import FORBIDDEN_ENV, Body, Text
from runner.api.work import folder_of
from sandbox.box import Command, Process
from sandbox.errors import SandboxError

_FIRST_S = 60.0
_SIGNALS = Literal["TERM", "KILL", "INT", "HUP", "TSTP", "QUIT", "USR1", "USR2"]
_EDGE = Annotated[int, Field(ge=1, lt=1 << 16)]
router = APIRouter(prefix="/v2/box/{box_id}")


class Start(Body):
    """The first frame: a program and where it runs."""

    type: Literal["start"]
    argv: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    cmd: Text | None = None
    cwd: Text | None = None
    tty: bool = False
    rows: _EDGE = 24
    cols: _EDGE = 80
    env: tuple[Text, ...] = ()

    def command(self) -> Command:
        """What to start. Raises ValueError."""
        argv = self.argv or (("bash", "-lc", self.cmd) if self.cmd is not None else None)
        if argv is None:
            raise ValueError("start needs argv or cmd")
        pairs = (pair.partition("=") for pair in self.env)
        env = {name: value for name, sign, value in pairs if name and sign and name not in FORBIDDEN_ENV}
        return Command(argv, cwd=folder_of(self.cwd), env=env, tty=(self.rows, self.cols) if self.tty else None)


class Stdin(Body):
    """Bytes for the program."""

    type: Literal["stdin"]
    data: str


class StdinClose(Body):
    """No more of them."""

    type: Literal["stdin_close"]


class Resize(Body):
    """The terminal has another size."""

    type: Literal["resize"]
    rows: _EDGE
    cols: _EDGE


class Signal(Body):
    """A signal for the program and all it started."""

    type: Literal["signal"]
    signal: _SIGNALS


class Terminate(Body):
    """TERM now, KILL after a while."""

    type: Literal["terminate"]
    graceMs: Annotated[int, Field(gt=0, le=3_600_000)] = 5000  # noqa: N815 - the wire's name


_FRAMES: TypeAdapter[Stdin | StdinClose | Resize | Signal | Terminate] = TypeAdapter(
    Annotated[Stdin | StdinClose | Resize | Signal | Terminate, Field(discriminator="type")]
)


@router.websocket("/exec-session")
async def exec_session(socket: WebSocket, used: UsedBox) -> None:
    """Run a program for as long as the caller stays."""
    await socket.accept()
    try:
        async with asyncio.timeout(_FIRST_S):
            command = Start.model_validate_json(await socket.receive_text()).command()
    except WebSocketDisconnect:
        return
    except (ValidationError, ValueError, TimeoutError) as error:
        await _refuse(socket, f"the first frame must be a start: {error}")
        return
    try:
        async with used.box.start(command) as process:
            if pid := await process.pid():
                with used.run(command) as working:
                    working.on_cancel = process.kill
                    await _send(socket, type="started", pid=pid, execId=working.run.id)
                    await _serve(socket, process, working)
            else:
                said = b"".join([data async for _, data in process.output()])
                await _refuse(socket, said.decode("utf-8", "replace").strip())
    except SandboxError as error:
        await _refuse(socket, str(error))


async def _serve(socket: WebSocket, process: Process, working: OpenRun) -> None:
    """Both directions, until the program has ended or the caller is gone."""
    hearing = asyncio.ensure_future(_hear(socket, process))
    telling = asyncio.ensure_future(_tell(socket, process, working))
    try:
        await asyncio.wait([hearing, telling], return_when=asyncio.FIRST_COMPLETED)
        if telling.done():
            telling.result()
    except (WebSocketDisconnect, RuntimeError):
        pass  # the caller went while we spoke
    finally:
        for task in (hearing, telling):
            task.cancel()
        await asyncio.gather(hearing, telling, return_exceptions=True)


async def _tell(socket: WebSocket, process: Process, working: OpenRun) -> None:
    async for name, data in process.output():
        await _send(socket, type=name, data=base64.b64encode(data).decode())
    code = await process.wait()
    working.run.status = "completed" if code == 0 else "failed"
    await _send(socket, type="exit", code=code if code >= 0 else 128 - code)
    await socket.close(1000)


async def _hear(socket: WebSocket, process: Process) -> None:
    ending: asyncio.Task[None] | None = None
    try:
        while True:
            try:
                frame = _FRAMES.validate_json(await socket.receive_text())
                if isinstance(frame, Terminate):
                    ending = ending or asyncio.create_task(_terminate(process, frame.graceMs / 1000))
                else:
                    await _act(process, frame)
            except (ValidationError, ValueError, SandboxError) as error:
                await _send(socket, type="warning", message=str(error))
    except (WebSocketDisconnect, RuntimeError, KeyError):
        return
    finally:
        if ending is not None:
            ending.cancel()


async def _act(process: Process, frame: Stdin | StdinClose | Resize | Signal) -> None:
    if isinstance(frame, Stdin):
        await process.write(base64.b64decode(frame.data, validate=True))
    elif isinstance(frame, StdinClose):
        await process.close_stdin()
    elif isinstance(frame, Resize):
        process.resize(frame.rows, frame.cols)
    elif frame.signal == "KILL":
        await process.kill()
    else:
        await process.signal(int(getattr(signal, f"SIG{frame.signal}")))


async def _terminate(process: Process, grace_s: float) -> None:
    await process.signal(signal.SIGTERM)
    await asyncio.sleep(grace_s)
    await process.kill()


async def _send(socket: WebSocket, **frame: Any) -> None:
    await socket.send_text(json.dumps(frame))


async def _refuse(socket: WebSocket, message: str) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        await _send(socket, type="error", message=message[:2000])
        await socket.close(1000)
