"""Names of models: `anthropic/NAME`, `openai/NAME` (chat completions), `responses/NAME`, or plainly `NAME`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Api = Literal["anthropic", "openai", "responses"]
_APIS: Mapping[str, Api] = {"anthropic": "anthropic", "openai": "openai", "responses": "responses"}


@dataclass(frozen=True, slots=True)
class ModelName:
    """A model and, if its name says so, the API it is asked through."""

    api: Api | None
    name: str

    @classmethod
    def parse(cls, text: str) -> ModelName:
        """Read a name. A word before a slash that names no API is part of the model's own name, as in `qwen/qwen3-8b`."""
        first, slash, rest = text.partition("/")
        named = _APIS.get(first) if slash and rest else None
        return cls(None, text) if named is None else cls(named, rest)

    def through(self, *apis: Api) -> Api:
        """Which of some APIs to ask it through. Raises ValueError if the name says another one."""
        if self.api is None:
            return "anthropic" if "anthropic" in apis and (self.name.startswith("claude") or len(apis) == 1) else apis[-1]
        if self.api in apis:
            return self.api
        if self.api == "openai" and "responses" in apis:
            return "responses"
        raise ValueError(f"model {self.api}/{self.name} cannot be asked here; this agent speaks {' and '.join(apis)}")
