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


class Rates(BaseModel):
    """USD per million tokens.

    Attributes:
        input: not cached.
        cached_input: read from the provider's cache; None if that is no cheaper than `input`.
        cache_write: put into it; None if that costs what `input` does.
        cache_write_1h: put into it for an hour; None if that costs what `cache_write` does.
        output: reasoning included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: float = Field(ge=0)
    cached_input: float | None = Field(default=None, ge=0)
    cache_write: float | None = Field(default=None, ge=0)
    cache_write_1h: float | None = Field(default=None, ge=0)
    output: float = Field(ge=0)

    def cost_usd(self, tokens: Tokens) -> float:
        """What a call cost by these rates."""
        cached = self.input if self.cached_input is None else self.cached_input
        written = self.input if self.cache_write is None else self.cache_write
        written_1h = written if self.cache_write_1h is None else self.cache_write_1h
        per_million = tokens.input * self.input + tokens.cached_input * cached + tokens.output * self.output
        per_million += (tokens.cache_write - tokens.cache_write_1h) * written + tokens.cache_write_1h * written_1h
        return per_million / 1_000_000


class LongPrompt(Rates):
    """Other rates for calls with more than `above` input tokens of all kinds."""

    above: int = Field(ge=0)


class Price(Rates):
    """What a model costs; `long_prompt` is None if that is the same however long the prompt is."""

    long_prompt: LongPrompt | None = None

    def of(self, tokens: Tokens) -> float:
        """What a call cost, in USD."""
        long = self.long_prompt
        return (long if long is not None and tokens.total - tokens.output > long.above else self).cost_usd(tokens)


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
