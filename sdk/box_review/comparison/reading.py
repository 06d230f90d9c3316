"""From a spec's file, and the files beside it, to a plan. Whatever is wrong is said here, before a box is made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from pydantic import ValidationError

from box_review.comparison.plan import Case, Plan, SourceText
from box_review.comparison.spec import Input, Prompt, Source, Spec
from box_review.errors import InputError

MOST_SPEC_BYTES = 8 << 20
MOST_FILE_BYTES = 16 << 20
MOST_PROMPT_BYTES = 120_000
"""What the box API takes as one prompt."""
_PROBLEMS = 10


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # yaml comes without types
    """YAML in which no key stands twice and no alias makes few lines stand for millions."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="aliases are not supported; write it out", problem_mark=self.peek_event().start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {key.value!r} stands twice", problem_mark=key.start_mark)
            seen.add(key.value)
        made: dict[Any, Any] = super().construct_mapping(node, deep)
        return made


def read_spec(path: Path) -> Spec:
    """The spec in a file, YAML or JSON. Raises InputError with every problem on a line of its own."""
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_SPEC_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    if len(raw) > MOST_SPEC_BYTES:
        raise InputError(f"{path} has more than {MOST_SPEC_BYTES} bytes; put long texts into files of their own")
    try:
        value = yaml.load(raw.decode("utf-8-sig"), Loader=_Loader)  # noqa: S506 - a safe loader
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: the file is no UTF-8") from error
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise InputError(f"{path}{line}: this is no YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: this is no YAML: {(str(error).splitlines() or [type(error).__name__])[0]}") from error
    return spec_from(value, str(path))


def spec_from(value: Any, name: str) -> Spec:
    """A spec from plain values; `name` begins what is said of its problems. Raises InputError."""
    if not isinstance(value, Mapping):
        raise InputError(f"{name}: a spec holds keys and values: models, prompts, inputs and scores at least")
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode()
        return Spec.model_validate(value)
    except (UnicodeEncodeError, RecursionError, TypeError) as error:
        raise InputError(f"{name}: there is half a letter in it, or a key that is no text, or it is nested too deeply") from error
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False)
        said = [f"{name}: {_sentence(problem)}" for problem in problems[:_PROBLEMS]]
        more = [f"… and {len(problems) - _PROBLEMS} more"] if len(problems) > _PROBLEMS else []
        raise InputError("\n".join([*said, *more])) from error


def _sentence(problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    kind, said = problem["type"], problem["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        said = "there is no such key"
    elif kind == "missing":
        said = "this is missing"
    elif kind not in ("value_error", "model_type"):
        said += f", not {str(problem['input'])[:60]!r}"
    return f"{where}: {said}" if where else said


def make_plan(spec: Spec, folder: Path) -> Plan:
    """Read what a spec names. Raises InputError for a file that is missing, too large, no text, or not below the spec's folder."""
    files = _Files(folder)
    cases = tuple(_case(prompt, one, spec, files) for one in spec.inputs for prompt in spec.prompts)
    return Plan(spec, folder, cases, _for_box(spec.setup.files, "setup.files", files))


def _case(prompt: Prompt, one: Input, spec: Spec, files: _Files) -> Case:
    words = files.text_of(prompt, f"prompts.{prompt.id}")
    given = one.text or "" if one.file is None else files.text(one.file, f"inputs.{one.id}.file")
    asked = words.replace("{input}", given)
    if (size := len(asked.encode())) > MOST_PROMPT_BYTES:
        raise InputError(
            f"prompts.{prompt.id} with inputs.{one.id} has {size} bytes; {MOST_PROMPT_BYTES} are allowed: put long inputs into `files`"
        )
    if "\0" in asked:
        raise InputError(f"prompts.{prompt.id} with inputs.{one.id} holds a NUL byte, which no prompt may")
    if not asked.strip():
        raise InputError(f"prompts.{prompt.id} with inputs.{one.id} is empty")
    sources = tuple(
        SourceText(source.file or f"source {number}", files.text_of(source, f"inputs.{one.id}.sources.{number}"))
        for number, source in enumerate(one.sources, 1)
    )
    return Case(prompt.id, one.id, asked, _for_box(one.files, f"inputs.{one.id}.files", files), _expected(one, files), sources)


def _expected(one: Input, files: _Files) -> Any:
    if one.expected_file is None:
        return one.expected
    text = files.text(one.expected_file, f"inputs.{one.id}.expected_file")
    if not one.expected_file.endswith(".json"):
        return text
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()  # half a letter is no text
    except (ValueError, RecursionError) as error:
        raise InputError(f"inputs.{one.id}.expected_file: {one.expected_file} is no JSON: {error}") from error
    return value


def _for_box(wanted: Mapping[str, str], where: str, files: _Files) -> dict[str, bytes]:
    for path in wanted:
        pure = PurePosixPath(path)
        if pure.is_absolute() or ".." in pure.parts or not pure.parts or not path.isprintable():
            raise InputError(f"{where}: {path!r} must be a path below the workspace of the box, as `docs/api.md`")
    return {path: files.data(beside, where) for path, beside in wanted.items()}


class _Files:
    """Files beside a spec, each read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._read: dict[str, bytes] = {}

    def text_of(self, part: Prompt | Source, where: str) -> str:
        return part.text or "" if part.file is None else self.text(part.file, f"{where}.file")

    def text(self, name: str, where: str) -> str:
        try:
            return self.data(name, where).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"{where}: {name} is no UTF-8 text") from error

    def data(self, name: str, where: str) -> bytes:
        if name not in self._read:
            self._read[name] = self._fetch(name, where)
        return self._read[name]

    def _fetch(self, name: str, where: str) -> bytes:
        try:
            path = (self._folder / name).resolve()
        except (OSError, ValueError, RuntimeError) as error:
            raise InputError(f"{where}: {name!r} is no path") from error
        if not path.is_relative_to(self._folder):
            raise InputError(f"{where}: {name} is not below the folder of the spec, {self._folder}")
        if not path.is_file():
            raise InputError(f"{where}: there is no file {name} in {self._folder}")
        try:
            with path.open("rb") as file:
                data = file.read(MOST_FILE_BYTES + 1)
        except OSError as error:
            raise InputError(f"{where}: {name} cannot be read: {error.strerror}") from error
        if len(data) > MOST_FILE_BYTES:
            raise InputError(f"{where}: {name} has more than {MOST_FILE_BYTES} bytes")
        return data
