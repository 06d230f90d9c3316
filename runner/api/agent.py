"""Routes of a box's agent: it is asked, followed, and told which model or program it is."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile

from runner.api.agent_runs import MAX_FILE_BYTES, MAX_FILES, Asked, AttachedFile, Listener
from runner.api.context import AllAgentRuns, NamedBox, UsedBox
from runner.api.errors import ApiError, BadInput, TooLarge
from runner.api.wire import Prompt, SetModel, SetRunner
from runner.api.work import folder_of
from runner.harness.output import DoesNotFit, check_schema

_OBJECTS = ("json_schema", "agent_options", "webhook")
_SPEC = {"requestBody": {"required": True, "content": {"application/json": {"schema": Prompt.model_json_schema()}}}}
router = APIRouter(prefix="/v2/box/{box_id}")


@router.post("/run/stream", openapi_extra=_SPEC)
async def run_stream(used: UsedBox, agent_runs: AllAgentRuns, request: Request) -> Response:
    """Ask the agent and follow it as server-sent events. It goes on when nobody listens any more."""
    listener = Listener()
    agent_runs.begin(used.entry, used.box, await _asked(request), listener)
    return StreamingResponse(listener.pieces(), media_type="text/event-stream", headers={"Cache-Control": "no-cache"})


@router.post("/run", openapi_extra=_SPEC)
async def run(used: UsedBox, agent_runs: AllAgentRuns, request: Request) -> Response:
    """Ask the agent. With a `webhook` the answer comes at once and the webhook is told of the end; without one the answer is the end."""
    asked = await _asked(request)
    listener = Listener()
    task = agent_runs.begin(used.entry, used.box, asked, listener)
    if asked.webhook is not None:
        run_id = await listener.run_id
        listener.leave()
        return JSONResponse({"run_id": run_id})
    listener.leave()
    ended = await asyncio.shield(task)
    if ended.status != "completed":
        raise ApiError(ended.error_message or f"the run was {ended.status}")
    metadata = ended.model_dump(include={"input_tokens", "output_tokens", "cached_input_tokens", "cost_usd"})
    return JSONResponse({"run_id": ended.id, "output": ended.output or "", "metadata": metadata})


@router.post("/runs/{run_id}/cancel")
async def cancel(named: NamedBox, run_id: str) -> dict[str, Any]:
    """End a run early; no error if it has ended."""
    await named.boxes.runs.cancel(named.entry.id, run_id)
    return {}


@router.put("/config/model")
async def set_model(named: NamedBox, body: SetModel) -> dict[str, Any]:
    """Which model the agent asks from now on."""
    if named.entry.agent is None:
        raise BadInput(f"box {named.entry.id} has no agent; name one when you create it")
    named.boxes.save(named.entry, model=body.model)
    return {}


@router.put("/config/custom-runner")
async def set_runner(named: NamedBox, body: SetRunner) -> dict[str, Any]:
    """Which program is the agent from now on."""
    if named.entry.agent != "custom":
        raise BadInput(f"box {named.entry.id} has the agent {named.entry.agent}; custom_runner belongs to `custom`")
    named.boxes.save(named.entry, custom_runner=body.custom_runner)
    return {}


async def _asked(request: Request) -> Asked:
    """A run as JSON, or as a form whose files come as they are. Raises BadInput, TooLarge, RequestValidationError."""
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        async with request.form(max_files=MAX_FILES + 1) as form:
            body = _prompt(_fields(form))
            files = [await _file(value) for _, value in form.multi_items() if isinstance(value, UploadFile)]
    else:
        try:
            body = _prompt(await request.json())
        except (ValueError, RecursionError) as error:
            raise BadInput(f"body: not JSON: {error}") from error
        files = [AttachedFile.decoded(file.filename, file.media_type, file.data) for file in body.files]
    if len(files) > MAX_FILES:
        raise TooLarge(f"files: at most {MAX_FILES}")
    if body.json_schema is not None:
        try:
            await check_schema(body.json_schema)
        except DoesNotFit as error:
            raise BadInput(str(error)) from error
    apart = body.session == "new"
    return Asked(body.prompt, folder_of(body.folder), body.json_schema, body.agent_options, files, body.webhook, apart=apart)


def _fields(form: FormData) -> dict[str, Any]:
    """The fields that are no files; objects come as JSON."""
    texts = {name: value for name, value in form.items() if isinstance(value, str)}
    try:
        return {name: json.loads(value) if name in _OBJECTS else value for name, value in texts.items()}
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{', '.join(_OBJECTS)} must be JSON: {error}") from error


def _prompt(given: Any) -> Prompt:
    try:
        return Prompt.model_validate(given)
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False, include_context=False)) from error


async def _file(upload: UploadFile) -> AttachedFile:
    if (upload.size or 0) > MAX_FILE_BYTES:
        raise TooLarge(f"files: {upload.filename} has {upload.size} bytes; {MAX_FILE_BYTES} is the limit")
    return AttachedFile(upload.filename or "", upload.content_type or "application/octet-stream", await upload.read()).checked()
