"""Bodies of the box API as clients send them. What is `null` counts as absent; what is unknown is refused by name."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from runner.api.cron import Cron
from runner.harness.custom import CustomAgent
from sandbox.gateway.errand import check_headers, check_url
from sandbox.gateway.policy import NetworkPolicy

MAX_TTL_S = 259_200
MAX_ENV_BYTES = 64 << 10
MAX_OPTION_BYTES = 64 << 10
MAX_HEADER_BYTES = 16 << 10
RESERVED = frozenset({"from-snapshot", "snapshots", "settings", "logs", "agent-credentials", "github"})
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
FORBIDDEN_ENV = frozenset({"PATH", "HOME", "LD_PRELOAD", "LD_LIBRARY_PATH", "NODE_OPTIONS"})


def _name(value: str) -> str:
    if value in RESERVED or "/" in value or not value.isprintable():
        raise ValueError(f"a box cannot be called {value!r}: no slash, no control characters, none of {', '.join(sorted(RESERVED))}")
    return value


def _env_name(value: str) -> str:
    if not value or "=" in value or "\0" in value or value in FORBIDDEN_ENV:
        raise ValueError(f"{value!r} cannot be set; {', '.join(sorted(FORBIDDEN_ENV))} and names with = or NUL are refused")
    return value


def _text(value: str) -> str:
    if _NO_TEXT.search(value):
        raise ValueError("NUL bytes and halves of letters (lone surrogates) are refused")
    return value


def _url(value: str) -> str:
    check_url(value)
    return value


def _headers(value: dict[str, str]) -> dict[str, str]:
    check_headers(value)
    if sum(len(name) + len(text) for name, text in value.items()) > MAX_HEADER_BYTES:
        raise ValueError(f"headers: at most {MAX_HEADER_BYTES} bytes in all")
    return value


def _token(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text.isascii() or not text.isprintable() or " " in text or ":" in text:
        raise ValueError("a token is printable ASCII without blanks and colons")
    return value


def _options(value: dict[str, Any]) -> dict[str, Any]:
    try:
        size = len(json.dumps(value, ensure_ascii=False).encode())
    except (ValueError, RecursionError) as error:
        raise ValueError("options that are nested too deeply, or hold half a letter") from error
    if size > MAX_OPTION_BYTES:
        raise ValueError(f"options: {size} bytes; {MAX_OPTION_BYTES} are allowed")
    return value


def _within(limit: int) -> AfterValidator:
    """At most so many bytes in all."""

    def check(value: Any) -> Any:
        texts = [value] if isinstance(value, str) else value if isinstance(value, tuple) else [*value, *value.values()]
        if (size := sum(len(text.encode()) for text in texts)) > limit:
            raise ValueError(f"{size} bytes; {limit} are allowed")
        return value

    return AfterValidator(check)


Url = Annotated[str, Field(max_length=4096), AfterValidator(_url)]
Headers = Annotated[dict[str, str], Field(max_length=50), AfterValidator(_headers)]
Options = Annotated[dict[str, Any], AfterValidator(_options)]
Text = Annotated[str, AfterValidator(_text)]
Name = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_name)]
Label = Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[A-Za-z0-9._:-]+$")]
EnvName = Annotated[str, Field(max_length=256), AfterValidator(_env_name)]
EnvVars = Annotated[dict[EnvName, Text], Field(max_length=256), _within(MAX_ENV_BYTES)]
Size = Literal["small", "medium", "large"]
InitCommand = Annotated[Text, Field(min_length=1), _within(65_536)]
SkillSource = Annotated[str, Field(max_length=300, pattern=r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9_][\w.-]*(/[A-Za-z0-9_][\w.-]*)?$")]
"""`owner/repository` for all skills in it, or with the name of one."""
SkillId = Annotated[str, Field(max_length=300, pattern=r"^[A-Za-z0-9][\w.-]*/[A-Za-z0-9_][\w.-]*/[A-Za-z0-9_][\w.-]*$")]
Token = Annotated[SecretStr, AfterValidator(_token)]


class Body(BaseModel):
    """A request body."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, given: Any) -> Any:
        return {key: value for key, value in given.items() if value is not None} if isinstance(given, dict) else given


class CustomRunner(Body):
    """A program in the box that speaks `box-sse-v1`."""

    command: Annotated[Text, Field(min_length=1, max_length=4096)]
    args: Annotated[tuple[Text, ...], Field(max_length=100)] = ()
    protocol: Literal["box-sse-v1"] = "box-sse-v1"

    @model_validator(mode="after")
    def _lies_where_it_may(self) -> Self:
        CustomAgent(self.command, self.args)
        return self


class McpServer(Body):
    """Tools for a box's agent: a package that runs in the box, or a server elsewhere."""

    name: Annotated[Text, Field(min_length=1, max_length=128)]
    source: Literal["npm", "url"]
    package_or_url: Annotated[Text, Field(min_length=1, max_length=2048)]
    args: Annotated[tuple[Text, ...], Field(max_length=100)] = ()
    headers: Annotated[Headers, Field(repr=False)] = {}

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        if self.source == "url":
            check_url(self.package_or_url)
        elif self.headers:
            raise ValueError("headers belong to servers with source `url`")
        return self


class Webhook(Body):
    """Whom to tell when something ends."""

    url: Url
    headers: Annotated[Headers, Field(repr=False)] = {}


class CreateBox(Body):
    """A new box, empty or from a snapshot."""

    snapshot_id: str | None = None
    name: Name | None = None
    labels: Annotated[tuple[Label, ...], Field(max_length=5)] = ()
    size: Size = "small"
    runtime: Annotated[str, Field(max_length=40)] | None = None
    keep_alive: bool = False
    ephemeral: bool = False
    ttl: Annotated[int, Field(ge=1, le=MAX_TTL_S)] | None = None
    env_vars: EnvVars = {}
    agent: Annotated[str, Field(max_length=40)] | None = None
    model: Annotated[Text, Field(min_length=1, max_length=200)] | None = None
    agent_api_key: Annotated[SecretStr, Field(max_length=1000)] | None = None
    custom_runner: CustomRunner | None = None
    init_command: InitCommand | None = None
    skills: Annotated[tuple[SkillSource, ...], Field(max_length=20)] = ()
    mcp_servers: Annotated[tuple[McpServer, ...], Field(max_length=20)] = ()
    github_token: Annotated[Token, Field(max_length=1000)] | None = None
    clone_repo: Annotated[Text, Field(min_length=1, max_length=4096, pattern=r"^[^-]")] | None = None
    clone_token: Annotated[Token, Field(max_length=1000)] | None = None
    attach_headers: dict[str, dict[str, str]] = Field(default={}, repr=False)
    network_policy: NetworkPolicy = NetworkPolicy()
    git_user_name: Annotated[str, Field(max_length=200)] | None = None
    git_user_email: Annotated[str, Field(max_length=200)] | None = None

    @model_validator(mode="after")
    def _one_kind_of_life(self) -> Self:
        if self.ephemeral and self.keep_alive:
            raise ValueError("ephemeral and keep_alive exclude each other")
        if self.ttl is not None and not self.ephemeral:
            raise ValueError("ttl belongs to ephemeral boxes")
        return self

    @model_validator(mode="after")
    def _agent_with_its_parts(self) -> Self:
        if self.agent == "custom" and self.custom_runner is None and self.snapshot_id is None:
            raise ValueError("custom_runner: an agent of your own needs {command, args}")
        if self.custom_runner is not None and self.agent != "custom":
            raise ValueError("custom_runner belongs to the agent `custom`")
        if self.agent is None and (self.agent_api_key is not None or self.model is not None) and self.snapshot_id is None:
            raise ValueError("model and agent_api_key belong to an agent; `agent` is missing")
        return self


IdList = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1, max_length=1000)]


class Ids(Body):
    """What to delete; an empty list is no way of saying all."""

    ids: IdList


class SomeIds(BaseModel):
    """The same, or all where `ids` is absent. Here `null` is not: too much would go by mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ids: IdList = ()


class Exec(Body):
    """A command; `work_dir` is the older name of `folder`."""

    command: Annotated[tuple[Text, ...], Field(min_length=1)]
    folder: Text | None = None
    work_dir: Text | None = None


class Code(Body):
    """A piece of code to run; `timeout` in milliseconds."""

    code: Text
    language: Literal["js", "ts", "python"]
    timeout: Annotated[int, Field(ge=0, le=86_400_000)] | None = None
    folder: Text | None = None


class WriteFile(Body):
    """A file's new content."""

    path: Text
    content: str
    encoding: Literal["base64"] | None = None


class MakeFolder(Body):
    """A folder to make."""

    path: Text
    parents: bool = False


class Rename(Body):
    """A path and what it shall be called."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    old: Annotated[Text, Field(alias="from")]
    new: Annotated[Text, Field(alias="to")]


class Remove(Body):
    """A path to remove."""

    path: Text
    recursive: bool = False


class NameSnapshot(Body):
    """What a snapshot is called."""

    name: Annotated[str, Field(min_length=1, max_length=128)]


class AddLabel(Body):
    """One more label."""

    label: Label


class Env(Body):
    """All account variables."""

    env_vars: EnvVars


class EnvValue(Body):
    """The value of one."""

    value: Text


class SetModel(Body):
    """Which model the agent asks."""

    model: Annotated[Text, Field(min_length=1, max_length=200)]


class SetRunner(Body):
    """Which program is the agent."""

    custom_runner: CustomRunner


class SetInit(Body):
    """What runs when the box's processes begin anew."""

    init_command: InitCommand


class AddSkill(Body):
    """One more skill."""

    skill_id: SkillId


class Attachment(Body):
    """A file for one run."""

    data: str
    media_type: Annotated[str, Field(max_length=200)] = "application/octet-stream"
    filename: Annotated[str, Field(max_length=1000)] | None = None


class Prompt(Body):
    """What an agent shall do; with `session: new` without what was said before, and without a trace in what is said after."""

    prompt: Annotated[Text, Field(min_length=1), _within(120_000)]
    folder: Text | None = None
    json_schema: dict[str, Any] | None = None
    agent_options: Options = {}
    files: Annotated[tuple[Attachment, ...], Field(max_length=10)] = ()
    webhook: Webhook | None = None
    session: Literal["continue", "new"] = "continue"


Timeout = Annotated[int, Field(ge=0, le=86_400_000)]


class NewSchedule(Body):
    """Work that begins by the clock: a command, or a prompt for the agent. `timeout` in milliseconds, 0 for none."""

    type: Literal["exec", "prompt"]
    cron: Cron
    command: Annotated[tuple[Text, ...], Field(min_length=1, max_length=1000), _within(100_000)] | None = None
    prompt: Annotated[Text, Field(min_length=1), _within(120_000)] | None = None
    folder: Text | None = None
    model: Annotated[Text, Field(max_length=200)] | None = None
    agent_options: Options | None = None
    timeout: Timeout | None = None
    webhook_url: Url | None = None
    webhook_headers: Headers | None = None

    @model_validator(mode="after")
    def _one_kind_of_work(self) -> Self:
        wanted, other = ("command", "prompt") if self.type == "exec" else ("prompt", "command")
        if getattr(self, wanted) is None or getattr(self, other) is not None:
            raise ValueError(f"a schedule of type {self.type} has a {wanted} and no {other}")
        return self


class ChangeSchedule(BaseModel):
    """What to change. What is absent stays; empty text, list or object clears, and so does `agent_options: null`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cron: Cron | None = None
    command: Annotated[tuple[Text, ...], Field(max_length=1000), _within(100_000)] | None = None
    prompt: Annotated[Text, _within(120_000)] | None = None
    folder: Text | None = None
    model: Annotated[Text, Field(max_length=200)] | None = None
    agent_options: Options | None = None
    timeout: Timeout | None = None
    webhook_url: Url | Literal[""] | None = None
    webhook_headers: Headers | None = None


class Preview(Body):
    """A port that shall be visited from outside, and how visitors show that they may."""

    port: Annotated[int, Field(ge=1, le=65535)]
    bearer_token: bool = False
    basic_auth: bool = False
