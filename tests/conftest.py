"""Fixtures every part uses."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def short_tmp() -> Iterator[Path]:
    """A short folder that the users of boxes can pass through: pytest's own are closed to others, and sockets need short paths."""
    folder = Path(tempfile.mkdtemp(prefix="bx-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)
