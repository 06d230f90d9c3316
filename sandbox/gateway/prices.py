"""What models cost."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sandbox.gateway.errors import BadPrices
from sandbox.gateway.usage import Tokens

_SAME_MODEL = re.compile(r"(-latest|[-@][0-9]{8}|-[0-9]{4}-[0-9]{2}-[0-9]{2})?")


class Price(BaseModel):
    """USD per million tokens.

    Attributes:
        input: not cached.
        cached_input: read from the provider's cache; None if that is no cheaper than `input`.
        cache_write: put into it; None if that costs what `input` does.
        output: reasoning included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: float = Field(ge=0)
    cached_input: float | None = Field(default=None, ge=0)
    cache_write: float | None = Field(default=None, ge=0)
    output: float = Field(ge=0)

    def of(self, tokens: Tokens) -> float:
        """What a call cost, in USD."""
        cached = self.input if self.cached_input is None else self.cached_input
        written = self.input if self.cache_write is None else self.cache_write
        per_million = tokens.input * self.input + tokens.cached_input * cached + tokens.cache_write * written + tokens.output * self.output
        return per_million / 1_000_000


@dataclass(frozen=True, slots=True)
class Prices:
    """A price table: prices by model name, or by `name*` for everything that begins so."""

    by_model: Mapping[str, Price]

    def of(self, model: str) -> Price | None:
        """A model's price; None if it is not known. The longest name that fits counts."""
        fitting = [name for name in self.by_model if _fits(name, model)]
        return self.by_model[max(fitting, key=len)] if fitting else None


def read_prices(toml: str) -> Prices:
    """A table in the form of `prices.toml`. Raises BadPrices."""
    try:
        return Prices({name: Price.model_validate(price) for name, price in tomllib.loads(toml).items()})
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise BadPrices(f"the price table cannot be read: {error}") from error


@cache
def list_prices() -> Prices:
    """The table that comes with this package."""
    return read_prices(resources.files("sandbox.gateway").joinpath("prices.toml").read_text(encoding="utf-8"))


def _fits(name: str, model: str) -> bool:
    if name.endswith("*"):
        return model.startswith(name[:-1])
    return model.startswith(name) and _SAME_MODEL.fullmatch(model[len(name) :]) is not None
