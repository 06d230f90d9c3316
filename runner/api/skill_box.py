"""Fetching skills into a box: folders with a SKILL.md, from GitHub, by the box itself and as its network policy allows."""

from __future__ import annotations

from runner.api.errors import BadInput
from sandbox.box import HOME, Box, Command

FOLDER = f"{HOME}/.claude/skills"
MAX_SKILLS = 100
_DEADLINE_S = 120.0
_INSTALL = r"""
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git clone --quiet --depth 1 -- "$1" "$work/from" >&2
cd "$work/from"
find . -name SKILL.md -not -path './.git/*' | sort > "$work/found"
while IFS= read -r file; do
    folder=$(dirname "$file"); name=$(basename "$folder")
    case "$name" in .|-*|*[!A-Za-z0-9._-]*) continue ;; esac
    [ -z "$3" ] || [ "$name" = "$3" ] || continue
    mkdir -p "$2"; rm -rf "$2/$name"; cp -R "$folder" "$2/$name"; echo "$name"
done < "$work/found"
"""


async def install(box: Box, host: str, source: str) -> list[str]:
    """Fetch one skill, or all of a repository; returns the ids of what is there now. Raises BadInput."""
    owner, repository, *name = source.split("/")
    argv = ["sh", "-c", _INSTALL, "sh", f"https://{host}/{owner}/{repository}", FOLDER, *(name or [""])]
    result = await box.exec(Command(argv, env={"GIT_TERMINAL_PROMPT": "0"}), timeout_s=_DEADLINE_S)
    if result.exit_code:
        said = result.stderr.decode("utf-8", "replace").strip()[-1000:]
        raise BadInput(f"skill {source} could not be fetched: {said or f'exit code {result.exit_code}'}")
    names = [line for line in result.stdout.decode("utf-8", "replace").splitlines() if line]
    if not names:
        raise BadInput(f"skill {source}: there is no folder with a SKILL.md of that name")
    return [f"{owner}/{repository}/{name}" for name in names[:MAX_SKILLS]]
