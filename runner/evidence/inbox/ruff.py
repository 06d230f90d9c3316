"""ruff: Python, both versions in one run, with our selection only."""

from __future__ import annotations

import json
import re

from . import kinds
from .model import QUALITY, SECURITY, Context, Copies, Outcome, Place, Raw
from .process import run
from .text import clip, counted

SELECT = {
    SECURITY: "S,PLE2502,PLE2510,PLE2512,PLE2513,PLE2515",
    QUALITY: "F,E722,E9,B,BLE001,PLE,PLW,PLR0124,PLR0133,ASYNC,RUF006,RUF008,RUF009,RUF012,RUF015,RUF016,RUF017,RUF018,RUF024,RUF026,"
    "RUF030,RUF032,RUF033,RUF034,RUF040,RUF048,RUF049,RUF060,RUF064,RUF071,S110,S112,T100,DTZ,LOG,SIM115,TRY400,FAST003,YTT,PIE794,PIE796",
}
# Style, matters of taste, and rules that are right too seldom to interrupt anybody.
IGNORE = {
    SECURITY: "S101,S110,S112,S4,S603,S606,S607",
    QUALITY: "F401,F403,F405,F541,F841,F842,B007,B009,B010,B011,B013,B024,B027,B028,B033,B034,B905,B911,B912,"
    "PLE2502,PLE2510,PLE2512,PLE2513,PLE2515,PLW0108,PLW0120,PLW0406,PLW1641,PLW2901,PLW3301,LOG015,DTZ901,YTT202",
}
_SECURITY_RULE = re.compile(r"S(?!110|112)\d+|PLE25\d\d")
_NOQA = re.compile(r"#\s*noqa\s*:\s*(?P<codes>[A-Z]+[0-9]+(?:[,\s]+[A-Z]+[0-9]+)*)", re.IGNORECASE)
# Whatever ruff calls a password is not shown, whether or not it looks like one to anybody else.
_PASSWORDS = frozenset({"S105", "S106", "S107"})
_QUOTED = re.compile(r'"([^"\n]{3,})"|\'([^\'\n]{3,})\'')
_PASSWORD_NAME = re.compile(r"(db_|api_?|access_|auth_)?(pass(word|wd|phrase)?|pwd|token|secret|key)(_?key)?", re.IGNORECASE)
# An import that is taken away breaks lines nobody touched.
_ANYWHERE = frozenset({"F821", "F822", "F823"})


def collect(context: Context) -> Outcome:
    """Results of both versions; `--ignore-noqa` because a pull request must not silence what reviews it."""
    program = context.binary("ruff")
    if program is None:
        return Outcome(status="missing", detail="the toolbox has no ruff; Python files were not checked by it")
    copies = _copies(context)
    if copies is None:
        return Outcome()
    roles = sorted(context.roles & set(SELECT))
    select = ",".join(SELECT[role] for role in roles)
    ignored = set.intersection(*(set(IGNORE[role].split(",")) for role in roles))
    argv = [
        program,
        "check",
        "--isolated",
        "--no-cache",
        "--ignore-noqa",
        "--no-fix",
        "--exit-zero",
        "--quiet",
        "--target-version",
        "py314",
    ]
    argv += ["--output-format", "json-lines", "--select", select, "--ignore", ",".join(sorted(ignored)) or "E501", "--", copies.root]
    done = run(argv, timeout_s=context.deadline.share(60), cwd=context.repository.empty)
    outcome = Outcome()
    _read(context, copies, done.stdout, outcome)
    if done.timed_out:
        outcome.status, outcome.detail = "timed_out", "ruff ran out of time"
    elif done.truncated:
        outcome.not_covered.append("ruff found more than could be read; its results are incomplete.")
    elif done.returncode != 0:
        outcome.status, outcome.detail = "failed", clip(done.stderr.decode("utf-8", "replace").strip()[-300:])
    return outcome


def _copies(context: Context) -> Copies | None:
    copies = Copies(context.scratch, "ruff")
    found = False
    for index, change in enumerate(context.changes):
        if change.head is None or not kinds.is_python(change.path, change.head):
            continue
        found = True
        name = "" if change.path.endswith((b".py", b".pyi")) else "script.py"
        for side, data in (("head", change.head), ("base", change.base)):
            if data is not None:
                copies.add(change, index, side, _as_utf8(data), name=name, split_returns=True)
    return copies if found else None


def _as_utf8(data: bytes) -> bytes:
    """ruff skips files that are not UTF-8, Python runs them with a coding line; every byte stays one character."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1").encode()
    return data


def _read(context: Context, copies: Copies, output: bytes, outcome: Outcome) -> None:
    unparsed: dict[bytes, None] = {}
    silenced = 0
    for line in output.split(b"\n"):
        raw = _parse(line, copies)
        if raw is None:
            continue
        change = context.changes[raw.place.index]
        if raw.rule == "invalid-syntax" and raw.place.side == "head":
            unparsed[change.path] = None
        if raw.place.side == "head" and _silenced(raw, change.head or b""):
            silenced += 1
            continue
        if raw.rule in _PASSWORDS:
            raw.masks = _literals(raw, change.head or b"")
        outcome.results.append(raw)
    if unparsed:
        outcome.not_covered.append(f"{counted(unparsed, 'Python file', 'Python files')} could not be parsed completely.")
    if silenced:
        outcome.not_covered.append(f"Quality results silenced by a `# noqa` that names their rule: {silenced}.")


def _literals(raw: Raw, data: bytes) -> tuple[str, ...]:
    """The texts in quotes on the lines of a password, but for names such as "password" itself."""
    lines = data.split(b"\n")[raw.start - 1 : raw.end]
    found = _QUOTED.findall("\n".join(line.decode("utf-8", "backslashreplace") for line in lines))
    return tuple(text for pair in found for text in pair if text and not _PASSWORD_NAME.fullmatch(text))


def _parse(line: bytes, copies: Copies) -> Raw | None:
    try:
        item = json.loads(line)
        place = copies.place(item["filename"])
        if place is None:
            return None
        start, end = (copies.line(place, item[key]["row"]) for key in ("location", "end_location"))
        rule = clip(str(item["code"]), 64)
        fix = item.get("fix") or {}
        edits = fix.get("edits", []) if fix.get("applicability") == "safe" else []
    except (ValueError, KeyError, TypeError):
        return None
    return Raw(
        place, rule, start, max(start, end), clip(str(item["message"])), anywhere=rule in _ANYWHERE, edits=_edits(edits, copies, place)
    )


def _edits(edits: list[dict[str, object]], copies: Copies, place: Place) -> list[dict[str, object]]:
    """Edits as start/end line and column; only for copies whose lines are git's lines."""
    found = []
    for edit in edits:
        begin, end = edit.get("location"), edit.get("end_location")
        if not isinstance(begin, dict) or not isinstance(end, dict) or not copies.exact(place):
            return []
        found.append(
            {"line": begin["row"], "column": begin["column"], "end_line": end["row"], "end_column": end["column"], "text": edit["content"]}
        )
    return found


def _silenced(raw: Raw, data: bytes) -> bool:
    """True for a quality rule with a `# noqa` that names it on the line it is about; one that names nothing counts for nothing."""
    if _SECURITY_RULE.fullmatch(raw.rule) or raw.rule == "invalid-syntax":
        return False
    lines = data.split(b"\n")
    for number in {raw.start, raw.end}:
        text = lines[number - 1].decode("utf-8", "replace") if number <= len(lines) else ""
        found = _NOQA.search(text)
        if found and raw.rule in re.findall(r"[A-Z]+[0-9]+", found["codes"].upper()):
            return True
    return False
