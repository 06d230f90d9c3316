"""The roles of a host: what each reviewer looks for, in words that it is told."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from box_review.finding import Role
from pydantic import TypeAdapter, ValidationError

from runner.errors import HostMisconfigured

MOST_BYTES = 20_000
_name: TypeAdapter[str] = TypeAdapter(Role)


def read_roles(folder: Path | None) -> Mapping[str, str]:
    """Words by role: those that come with us, and those of the operator's `ROLE.md` files, which stand above ours.

    Raises:
        HostMisconfigured: the folder or a file in it cannot be used.
    """
    ours = resources.files("prompts").joinpath("roles")
    roles = {file.name.removesuffix(".md"): file.read_text(encoding="utf-8") for file in ours.iterdir() if file.name.endswith(".md")}
    if folder is not None:
        try:
            roles |= {_named(file): _words(file) for file in sorted(folder.iterdir()) if file.suffix == ".md"}
        except OSError as error:
            raise HostMisconfigured(f"BOX_ROLES_DIR: {error.filename or folder}: {error.strerror}") from error
    return dict(sorted(roles.items()))


def _named(file: Path) -> str:
    try:
        return _name.validate_python(file.stem)
    except ValidationError as error:
        raise HostMisconfigured(
            f"BOX_ROLES_DIR: {file} cannot be a role: names are lower-case letters, digits and hyphens, at most 32, not jury"
        ) from error


def _words(file: Path) -> str:
    try:
        words = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise HostMisconfigured(f"BOX_ROLES_DIR: {file} is no UTF-8: {error.reason} at byte {error.start}") from error
    if not words.strip():
        raise HostMisconfigured(f"BOX_ROLES_DIR: {file} is empty; write what a reviewer in this role looks for")
    if len(words.encode()) > MOST_BYTES:
        raise HostMisconfigured(f"BOX_ROLES_DIR: {file} has more than {MOST_BYTES} bytes, which agents would have to read each time")
    return words
