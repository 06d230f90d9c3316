"""Bodies of the box API as clients send them. What is `null` counts as absent; what is unknown is refused by name."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from sandbox.gateway.policy import NetworkPolicy

MAX_TTL_S = 259_200
RESERVED = frozenset({"from-snapshot", "snapshots", "settings", "logs", "agent-credentials", "github"})
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
    if "\0" in value:
        raise ValueError("NUL bytes are refused")
    return value


Text = Annotated[str, AfterValidator(_text)]
Name = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_name)]
Label = Annotated[str, Field(min_length=1, max_length=20)]
EnvName = Annotated[str, Field(max_length=256), AfterValidator(_env_name)]
EnvVars = Annotated[dict[EnvName, Text], Field(max_length=256)]
Size = Literal["small", "medium", "large"]


class Body(BaseModel):
    """A request body."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, given: Any) -> Any:
        return {key: value for key, value in given.items() if value is not None} if isinstance(given, dict) else given


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
