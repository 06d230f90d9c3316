"""Output that must fit a JSON Schema. Both are other people's: a process looks at them that is ended when it takes long."""

from __future__ import annotations

import asyncio
import itertools
import json
import resource
import sys
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

MAX_OUTPUT = 4 << 20
MAX_SCHEMA_BYTES = 64 << 10
PATIENCE_S = 5.0
_MEMORY_BYTES = 1 << 30
_FENCES = 20
_M = TypeVar("_M", bound=BaseModel)


class DoesNotFit(ValueError):
    """The output is no JSON, or not what the schema describes; or what it describes is no schema."""


async def check_schema(schema: Mapping[str, Any]) -> None:
    """Raises DoesNotFit if it is no JSON Schema, or too large to be looked at."""
    await _looked_at({"schema": schema})


async def fit(output: str, schema: Mapping[str, Any]) -> str:
    """The JSON in an agent's output, alone or in a fenced block, as text. Raises DoesNotFit."""
    if len(output) > MAX_OUTPUT:
        raise DoesNotFit(f"the output has {len(output)} characters; {MAX_OUTPUT} can be checked")
    return await _looked_at({"schema": schema, "output": output})


async def read_as(output: str, model: type[_M], most: Mapping[str, int]) -> _M:
    """An agent's answer as a model.

    Args:
        most: how many items of a list are taken, by the list's name; the rest is cut.

    Raises:
        DoesNotFit: in words that the agent can act upon.
    """
    value = json.loads(await fit(output, {"type": "object"}))
    cut = {name: value[name][:count] for name, count in most.items() if isinstance(value.get(name), list)}
    try:
        return model.model_validate(value | cut)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)[:5]
        raise DoesNotFit("; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in problems)) from error


def strict_object(**properties: Any) -> dict[str, Any]:
    """The schema of an object with all of these fields and no other, as providers want it for structured output."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


async def _looked_at(question: Mapping[str, Any]) -> str:
    try:
        size = len(json.dumps(question["schema"]))
    except (ValueError, RecursionError) as error:
        raise DoesNotFit("json_schema: it is nested too deeply") from error
    if size > MAX_SCHEMA_BYTES:
        raise DoesNotFit(f"json_schema: {size} bytes; {MAX_SCHEMA_BYTES} are allowed")
    pipe, nowhere = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    argv = (sys.executable, "-I", "-m", __name__)
    process = await asyncio.create_subprocess_exec(*argv, env={}, stdin=pipe, stdout=pipe, stderr=nowhere)
    try:
        async with asyncio.timeout(PATIENCE_S):
            said, _ = await process.communicate(json.dumps(question).encode())
        answer = json.loads(said)
    except (TimeoutError, ValueError) as error:
        raise DoesNotFit("json_schema: checking it takes too much time or memory") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if "problem" in answer:
        raise DoesNotFit(answer["problem"])
    return str(answer["json"])


def _main() -> None:
    """The process that looks: a question on standard input, an answer on standard output."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (int(PATIENCE_S) + 1, int(PATIENCE_S) + 1))
    question = json.load(sys.stdin)
    json.dump(_answer(question["schema"], question.get("output")), sys.stdout)


def _answer(schema: Any, output: str | None) -> dict[str, str]:
    import jsonschema  # type: ignore[import-untyped]  # noqa: PLC0415 - only this process needs it
    from jsonschema.validators import validator_for  # type: ignore[import-untyped]  # noqa: PLC0415
    from referencing import Registry  # noqa: PLC0415
    from referencing.exceptions import Unresolvable  # noqa: PLC0415

    try:
        kind = validator_for(schema, jsonschema.Draft202012Validator)
        kind.check_schema(schema)
        if output is None:
            return {"json": ""}
        value = _parsed(output)
        kind(schema, registry=Registry()).validate(value)  # a registry that fetches nothing from anywhere
        return {"json": json.dumps(value)}
    except jsonschema.SchemaError as error:
        problem = f"json_schema: {error.message[:500]}"
    except jsonschema.ValidationError as error:
        problem = f"the output does not fit json_schema: {error.json_path}: {error.message[:500]}"
    except DoesNotFit as error:
        problem = str(error)
    except (TypeError, RecursionError, Unresolvable) as error:
        problem = f"json_schema: nothing can be checked against it ({type(error).__name__})"
    return {"problem": problem}


def _parsed(output: str) -> Any:
    for text in (output, *_fenced(output)):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            continue
    raise DoesNotFit(f"the output is no JSON: {output[:300]!r}")


def _fenced(output: str) -> Iterator[str]:
    """What stands between lines of three backticks; the first few."""
    lines = output.split("\n")
    marks = [number for number, line in enumerate(lines) if line.lstrip().startswith("```")][: 2 * _FENCES]
    for start, end in itertools.pairwise(marks):
        yield "\n".join(lines[start + 1 : end])


if __name__ == "__main__":
    _main()
