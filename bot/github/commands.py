"""`/box …`: what people can say in a comment. Reading it knows nothing of who may.

/box review [role…] [--model M] [--harness H] [--force]     /box ask TEXT
/box compare M1 M2… [--role R…] [--harness H]
/box learn TEXT      /box learn mute TOOL/RULE [in GLOB] [because TEXT]      /box memory [forget ID | accept ID]
/box ignore ID [reason]      /box resume [role]      /box cancel      /box status      /box help
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from box_review.finding import Role
from box_review.learned import MOST_TEXT as MOST_TAUGHT
from box_review.learned import Mute
from box_review.sanitize import inline_code
from pydantic import TypeAdapter, ValidationError

from bot.github.errors import NotUnderstood

MOST_TEXT = 8000
_CALL = re.compile(r"[ \t]*/box(?:[ \t]+(?P<words>[^\r\n]*))?[ \t]*(?:\r?\n(?P<rest>.*))?\Z", re.DOTALL)
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}")
FEWEST_MODELS, MOST_MODELS, MOST_ROLES = 2, 4, 16
_FINDING = re.compile(r"F-[0-9a-f]{8}(-\d{1,4})?")
_RULE_ID = re.compile(r"l-[a-z0-9]{1,16}")
_MUTE = "`/box learn mute TOOL/RULE [in GLOB] [because TEXT]`"
_role: TypeAdapter[str] = TypeAdapter(Role)


@dataclass(frozen=True)
class Review:
    """Review again; what is empty is as the repository wants it. `force` also where this commit was reviewed."""

    roles: tuple[str, ...] = ()
    model: str = ""
    harness: str = ""
    force: bool = False


@dataclass(frozen=True)
class Compare:
    """Let several models review, and tell how they compare; what is empty is as the repository wants it."""

    models: tuple[str, ...]
    roles: tuple[str, ...] = ()
    harness: str = ""


@dataclass(frozen=True)
class Ask:
    """A question to a reviewer."""

    text: str


@dataclass(frozen=True)
class Resume:
    """How to get into a reviewer's box; empty for each."""

    role: str = ""


@dataclass(frozen=True)
class Ignore:
    """Say nothing of a finding any more in this pull request."""

    finding: str
    reason: str = ""


@dataclass(frozen=True)
class Learn:
    """What maintainers of the repository say, from now on: guidance, or with a mute what is not to be told."""

    text: str
    mute: Mute | None = None


@dataclass(frozen=True)
class Memory:
    """What is learned of the repository; with `forget` or `accept`, a change to the rule of that id."""

    change: Literal["", "forget", "accept"] = ""
    rule: str = ""


@dataclass(frozen=True)
class Cancel:
    """Stop the review that runs, and the comparison."""


@dataclass(frozen=True)
class Status:
    """How far it is."""


@dataclass(frozen=True)
class Help:
    """What can be said."""


Command = Review | Compare | Ask | Resume | Ignore | Learn | Memory | Cancel | Status | Help
FOR_ALL = (Status, Help)
"""What whoever may comment may say."""


def teaches(command: Command | None) -> bool:
    """True for what changes how later pull requests are reviewed: it needs write access, whatever a repository's settings say."""
    return isinstance(command, Learn) or (isinstance(command, Memory) and bool(command.change))


def is_call(body: str) -> bool:
    """True for a comment that speaks to us: its first line begins with `/box`."""
    return _CALL.match(body.lstrip("\r\n")) is not None


def read_command(body: str) -> Command:
    """The command of a comment that `is_call`. Raises NotUnderstood, with what would be right."""
    found = _CALL.match(body.lstrip("\r\n"))
    if found is None:
        raise NotUnderstood("a command begins with `/box`")
    words, rest = (found["words"] or "").split(), found["rest"] or ""
    name, arguments = (words[0].lower(), words[1:]) if words else ("help", [])
    if name in _OF_TEXT:
        return _OF_TEXT[name](f"{(found['words'] or '').strip()[len(name) :].strip()}\n{rest}".strip())
    if name not in _READERS:
        near = difflib.get_close_matches(name, [*_READERS, *_OF_TEXT], 1)
        raise NotUnderstood(f"there is no command `{name[:40]}`" + (f"; is `{near[0]}` meant?" if near else ""))
    return _READERS[name](arguments)


def _ask(text: str) -> Ask:
    if not text:
        raise NotUnderstood("`/box ask` needs a question")
    if len(text) > MOST_TEXT:
        raise NotUnderstood(f"a question has {MOST_TEXT:,} characters at most")
    return Ask(text)


def _learn(text: str) -> Learn:
    words = text.split()
    if words[:1] == ["mute"]:
        return _learn_mute(words[1:])
    if not words:
        raise NotUnderstood(f"`/box learn` needs what is to be known, in a sentence, or {_MUTE}")
    return Learn(_taught(words))


def _learn_mute(words: Sequence[str]) -> Learn:
    """`TOOL/RULE [in GLOB] [because TEXT]`; backticks around the first two are taken off."""
    left = list(words)
    tool, slash, rule = (left.pop(0).strip("`") if left else "").partition("/")
    if not slash or not tool or not rule:
        raise NotUnderstood(f"what is muted is named as `ruff/E501`, or `ruff/*` for all that a tool says: {_MUTE}")
    path = None
    if left[:1] == ["in"]:
        if len(left) < 2:
            raise NotUnderstood(f"`in` needs a pattern of paths, as `src/gen/**`: {_MUTE}")
        path, left = left[1].strip("`"), left[2:]
    if left and left[0] != "because":
        raise NotUnderstood(f"{inline_code(left[0][:40])} cannot stand there: {_MUTE}")
    if left == ["because"]:
        raise NotUnderstood(f"`because` needs words: {_MUTE}")
    try:
        mute = Mute(tool=tool, rule=None if rule == "*" else rule, path=path)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        said = problem["msg"].removeprefix("Value error, ")
        raise NotUnderstood(
            f"the {problem['loc'][0]} {inline_code(str(problem['input'])[:80])} cannot be: {said[0].lower()}{said[1:]}"
        ) from None
    return Learn(_taught(left[1:]) if left else "", mute)


def _taught(words: Sequence[str]) -> str:
    text = " ".join(words)
    if len(text) > MOST_TAUGHT:
        raise NotUnderstood(f"what is learned has {MOST_TAUGHT} characters at most, not {len(text):,}")
    return text


def _memory(words: Sequence[str]) -> Memory:
    if not words:
        return Memory()
    change, ident = words[0].lower(), words[1].strip("`").lower() if len(words) == 2 else ""
    if change not in ("forget", "accept") or not _RULE_ID.fullmatch(ident):
        raise NotUnderstood(
            "`/box memory` shows what is learned; `/box memory forget ID` and `/box memory accept ID` take an id from there"
        )
    return Memory("forget" if change == "forget" else "accept", ident)


def _review(words: Sequence[str]) -> Review:
    roles, given, force, left = list[str](), dict[str, str](), False, list(words)
    while left:
        word = left.pop(0)
        option, equals, value = word.partition("=")
        if word == "--force":
            force = True
        elif option in ("--model", "--harness"):
            if not equals:
                value = left.pop(0) if left and not left[0].startswith("--") else ""
            if not value or len(value) > 200:
                raise NotUnderstood(f"`{option}` needs a value")
            given[option[2:]] = value
        elif word.startswith("-"):
            raise NotUnderstood(f"`/box review` has no option `{word[:40]}`; there are --model, --harness and --force")
        else:
            roles.append(_role_of(word))
    return Review(_different(roles), force=force, **given)


def _compare(words: Sequence[str]) -> Compare:
    models, given = list[str](), {"--role": list[str](), "--harness": list[str]()}
    into = models
    for word in words:
        option, _, value = word.partition("=")
        if option in given:
            into = given[option]
            into += [value] if value else []
        elif word.startswith("-"):
            raise NotUnderstood(f"`/box compare` has no option `{word[:40]}`; there are --role and --harness, behind the models")
        else:
            into.append(word)
    harnesses = given["--harness"]
    if len(harnesses) > 1 or len("".join(harnesses)) > 64:
        raise NotUnderstood("`--harness` takes one harness")
    if empty := next((option for option in given if option in words and not given[option]), None):
        raise NotUnderstood(f"`{empty}` needs a value")
    return Compare(_models(models), _different([_role_of(word) for word in given["--role"]]), "".join(harnesses))


def _models(words: Sequence[str]) -> tuple[str, ...]:
    if wrong := next((word for word in words if not _MODEL.fullmatch(word)), None):
        raise NotUnderstood(f"`{wrong[:40]}` cannot be a model: it is anthropic/NAME, openai/NAME, responses/NAME or NAME")
    if twice := next((word for word in words if words.count(word) > 1), None):
        raise NotUnderstood(f"`{twice[:100]}` is named twice; a model is compared with others")
    if not FEWEST_MODELS <= len(words) <= MOST_MODELS:
        raise NotUnderstood(
            f"`/box compare` takes {FEWEST_MODELS} to {MOST_MODELS} models, as `anthropic/NAME openai/NAME`, not {len(words)}"
        )
    return tuple(words)


def _different(roles: Sequence[str]) -> tuple[str, ...]:
    if len(roles) > MOST_ROLES:
        raise NotUnderstood(f"{MOST_ROLES} roles at most")
    return tuple(dict.fromkeys(roles))


def _role_of(word: str) -> str:
    try:
        return _role.validate_python(word)
    except ValidationError:
        raise NotUnderstood(f"`{word[:40]}` cannot be a role: small letters, digits and hyphens") from None


def _resume(words: Sequence[str]) -> Resume:
    if len(words) > 1:
        raise NotUnderstood("`/box resume` takes one role at most")
    return Resume(_role_of(words[0]) if words else "")


def _ignore(words: Sequence[str]) -> Ignore:
    if not words or not _FINDING.fullmatch(words[0]):
        raise NotUnderstood("`/box ignore` needs the id of a finding, as `F-1a2b3c4d`")
    return Ignore(words[0], " ".join(words[1:])[:500])


def _bare(command: Command) -> Callable[[Sequence[str]], Command]:
    def read(words: Sequence[str]) -> Command:
        if words:
            raise NotUnderstood(f"`/box {type(command).__name__.lower()}` takes no words")
        return command

    return read


_OF_TEXT: dict[str, Callable[[str], Command]] = {"ask": _ask, "learn": _learn}
"""Those that take all that stands behind them, in as many lines as it has."""
_READERS: dict[str, Callable[[Sequence[str]], Command]] = {
    "review": _review,
    "compare": _compare,
    "resume": _resume,
    "ignore": _ignore,
    "memory": _memory,
    "cancel": _bare(Cancel()),
    "status": _bare(Status()),
    "help": _bare(Help()),
}

HELP = """\
| say in the first line of a comment | and |
|---|---|
| `/box review [role…] [--model M] [--harness H] [--force]` | the pull request is reviewed; with `--force` also a commit that was |
| `/box compare M1 M2… [--role R…] [--harness H]` | they review in the shadow; one comment compares them |
| `/box ask TEXT` | a reviewer's box wakes and its agent answers; in a thread, about that finding |
| `/box ignore ID [reason]` | a finding is not told again in this pull request |
| `/box learn TEXT` | reviewers of this repository are told it from now on, as something that was said |
| `/box learn mute TOOL/RULE [in GLOB] [because TEXT]` | such findings are not told from now on, unless proven, critical or a secret |
| `/box memory [forget ID \\| accept ID]` | what is learned, and what could be |
| `/box resume [role]` | how to get a shell in a reviewer's box |
| `/box cancel` | the review that runs is stopped, and the comparison |
| `/box status` | how far it is |
| `/box help` | this |
"""
