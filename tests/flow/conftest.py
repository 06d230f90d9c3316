"""What several flows begin with."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import repositories


@pytest.fixture(scope="module", autouse=True)
def _connections_end_with_their_module() -> Iterator[None]:
    """The official client leaves connections to the garbage collector, which would come in the middle of somebody else's test."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A change that forgets the first price; read by many, changed by none."""
    return repositories.shop(tmp_path_factory.mktemp("shop"))
