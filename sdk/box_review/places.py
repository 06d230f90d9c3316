"""Where a server keeps what must outlive it, unless `BOX_DATA_DIR` says otherwise."""

from __future__ import annotations

import os
from pathlib import Path


def default_data_dir() -> Path:
    """A system's folder for root, else the user's own."""
    if os.geteuid() == 0:
        return Path("/var/lib/box-review")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "box-review"
