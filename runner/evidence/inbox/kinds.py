"""Which tool a file is for, told by its name or first line."""

from __future__ import annotations

import re

_SHELL_NAME = re.compile(rb"\.(sh|bash|ksh|dash)$|(^|/)\.?(bashrc|bash_profile|profile)$")
_SHELL_SHEBANG = re.compile(rb"^#![^\n]*\b(sh|bash|dash|ksh)\b")
_PYTHON_SHEBANG = re.compile(rb"^#![^\n]*\bpython[0-9.]*\b")
_WORKFLOW = re.compile(rb"(^|/)\.github/workflows/[^/]+\.ya?ml$", re.IGNORECASE)
_ACTION = re.compile(rb"(^|/)action\.ya?ml$")


def is_python(path: bytes, data: bytes) -> bool:
    """A module, a stub or a script."""
    return path.endswith((b".py", b".pyi", b".pyw")) or bool(_PYTHON_SHEBANG.match(data[:200]))


def is_shell(path: bytes, data: bytes) -> bool:
    """A script of a shell that shellcheck knows."""
    return bool(_SHELL_NAME.search(path) or _SHELL_SHEBANG.match(data[:200]))


def workflow_name(path: bytes) -> str | None:
    """The name zizmor should see: a workflow, an action, or None for anything else."""
    if _WORKFLOW.search(path):
        return "workflow.yml"
    return "action.yml" if _ACTION.search(path) else None
