"""Routes of the skills of a box's agent."""

from __future__ import annotations

import contextlib
from typing import Any

from fastapi import APIRouter

from runner.api.context import NamedBox, UsedBox
from runner.api.errors import TooLarge
from runner.api.skill_box import FOLDER, MAX_SKILLS, install
from runner.api.wire import AddSkill
from sandbox.errors import BoxFileError

router = APIRouter(prefix="/v2/box/{box_id}/config/skills")


@router.post("")
async def add(used: UsedBox, body: AddSkill) -> dict[str, Any]:
    """One more skill."""
    if len(used.entry.enabled_skills) >= MAX_SKILLS:
        raise TooLarge(f"a box has {MAX_SKILLS} skills at most")
    fresh = await install(used.box, used.boxes.github.host, body.skill_id)
    used.boxes.save(used.entry, enabled_skills=tuple(dict.fromkeys((*used.now.enabled_skills, *fresh))))
    return {}


@router.delete("/{owner}/{repository}/{skill}")
async def remove(named: NamedBox, owner: str, repository: str, skill: str) -> dict[str, Any]:
    """One skill less; no error if it was not there."""
    ident = f"{owner}/{repository}/{skill}"
    if ident in named.entry.enabled_skills:
        with contextlib.suppress(BoxFileError):  # the box may have removed it itself
            await named.box.remove(f"{FOLDER}/{skill}")
        named.boxes.save(named.entry, enabled_skills=tuple(known for known in named.now.enabled_skills if known != ident))
    return {}
