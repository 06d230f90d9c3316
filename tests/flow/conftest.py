"""What several flows begin with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import repositories


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A change that forgets the first price; read by many, changed by none."""
    return repositories.shop(tmp_path_factory.mktemp("shop"))
