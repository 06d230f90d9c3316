"""Checking requests."""

from __future__ import annotations

from collections.abc import Mapping

from gate.keys import Keys


def client_of(keys: Keys, headers: Mapping[str, str]) -> str | None:
    """Return the client that sent a request; header names are in lower case."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        return None
    return keys.client_of(key.strip())
