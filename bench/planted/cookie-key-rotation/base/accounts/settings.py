"""Settings from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MIN_KEY = 32


@dataclass(frozen=True)
class Settings:
    """What the sessions need to know."""

    key: bytes
    lifetime: int


def load(env: Mapping[str, str]) -> Settings:
    """Read the settings; a missing or short key is an error."""
    key = env.get("COOKIE_KEY", "").encode()
    if len(key) < MIN_KEY:
        raise ValueError(f"COOKIE_KEY must have at least {MIN_KEY} characters")
    return Settings(key=key, lifetime=int(env.get("COOKIE_LIFETIME", "86400")))
