"""Makes text from a review fit for where it is shown.

Every string of a record may have been written by an agent that read hostile code, or be the name of
a hostile file. There is one function per target: `for_terminal`, `for_markdown` (and `inline_code`,
`code_block` for what is quoted), `for_json` and `visible`, which is what HTML needs besides its escaping.

`visible`, `for_terminal` and `for_markdown` are idempotent: a text may pass twice on its way.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movement
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"  # OSC: window title, hyperlinks, clipboard
)
_LINE_END = re.compile("\r\n|[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]")

# Characters that act or hide instead of showing: controls, surrogates, and what Unicode calls default
# ignorable (bidi controls, zero-width, fillers, variation selectors, tags).
_ACTING = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u070f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    r"\u2028-\u202e\u2060-\u206f\u2800\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_ACTING_CHARACTER = re.compile(f"[{_ACTING}]")


def visible(text: str, *, multiline: bool = False) -> str:
    """`text` without terminal sequences and without characters that act or hide instead of showing.

    Args:
        multiline: keep line ends, as `\\n`, and tabs; otherwise each becomes a space.
    """
    text = _LINE_END.sub("\n", _SEQUENCE.sub("", text))
    text = _ACTING_CHARACTER.sub("", text)
    return text if multiline else text.replace("\n", " ").replace("\t", " ")


def for_terminal(text: str, *, multiline: bool = False) -> str:
    """`text` that a terminal only prints: it cannot move, colour, retitle, hide or reorder anything."""
    return visible(text, multiline=multiline).replace("\t", "    ")


def for_json(document: str) -> str:
    """A JSON document of the same value, in which acting characters stand as `\\u` escapes."""
    return _ACTING_CHARACTER.sub(lambda match: _json_escape(match[0]), document)


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def inline_code(text: str) -> str:
    """`text` as one Markdown code span, in which GitHub renders nothing."""
    text = visible(text)
    ticks = "`" * (_longest_run(text) + 1)
    padding = " " if text.startswith("`") or text.endswith("`") or not text.strip() else ""
    return f"{ticks}{padding}{text}{padding}{ticks}"


def code_block(lines: Iterable[str], language: str = "") -> str:
    """`lines` as one fenced block whose fence no line can close; tabs stay.

    Args:
        language: chosen by the caller, never taken from a record: GitHub acts on some (`suggestion`, `mermaid`).
    """
    body = [visible(line, multiline=True) for line in lines]
    fence = "`" * max(3, _longest_run("\n".join(body)) + 1)
    return "\n".join([fence + language, *body, fence])


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


# What `for_markdown` puts in place of characters that build something in Markdown. The shape of an entity
# of this list is left alone when met again; any other `&` is spelled out.
_ENTITIES = {character: f"&#{ord(character)};" for character in "\\`[]|$#=-*_~:"} | {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
_OWN_ENTITY = re.compile("|".join(_ENTITIES.values()))
_BUILDING = re.compile(f"{_OWN_ENTITY.pattern}|" + r"[\\`\[\]|$<>&]|(?<=~~)~|~(?=~~)|(?<=~)~(?=~)")

_CODE_SPAN = re.compile(r"(?<!`)`([^`\n]*[^`\s][^`\n]*)`(?!`)")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})\s*[\w+#.-]*\s*")
_HEADING = re.compile(r"^(\s{0,3})(#)(?=#{0,5}(\s|$))")
_RULE = re.compile(r"^(\s{0,3})([-=*_:])(?=[-=*_:\s]*$)")

# Whatever GitHub turns into a link, a notification or a reference: it is quoted as code, where it stays text.
_LIVE = re.compile(
    r"://|www\.|@|\#\d|\bGH-\d|\b[0-9a-f]{7,64}\b|\b(?:javascript|vbscript|data|mailto|xmpp|file):\S",
    re.IGNORECASE,
)


def for_markdown(text: str, *, multiline: bool = False) -> str:
    """`text` as Markdown that GitHub renders as words, emphasis, lists and code, and as nothing else.

    No link, image, HTML, mention, reference, heading, table or formula comes out of it, and no fence stays
    open. Code spans are kept, and with `multiline` fenced blocks too, without their language.
    """
    text = visible(text, multiline=multiline)
    if not multiline:
        return _line_for_markdown(text)
    done: list[str] = []
    lines = iter(text.split("\n"))
    for line in lines:
        fence = _FENCE.fullmatch(line)
        done.append(_line_for_markdown(line) if fence is None else code_block(_until_closed(lines, fence[1])))
    return "\n".join(done)


def _until_closed(lines: Iterable[str], fence: str) -> list[str]:
    """The lines up to the one that closes `fence`, or all that are left."""
    closing = re.compile(rf" {{0,3}}{re.escape(fence[0])}{{{len(fence)},}}\s*")
    block: list[str] = []
    for line in lines:
        if closing.fullmatch(line):
            break
        block.append(line)
    return block


def _line_for_markdown(line: str) -> str:
    spelled = ""
    for at, part in enumerate(_CODE_SPAN.split(line)):
        span = f"`{part}`" if at % 2 else "".join(map(_word_for_markdown, re.split(r"(\s+)", part)))
        # Two spans that touch would be read as one longer run of backticks.
        spelled += f" {span}" if spelled.endswith("`") and span.startswith("`") else span
    for structure in (_HEADING, _RULE):
        spelled = structure.sub(lambda match: match[1] + _ENTITIES[match[2]], spelled)
    return spelled


def _word_for_markdown(word: str) -> str:
    read = _OWN_ENTITY.sub(lambda match: html.unescape(match[0]), word)
    if _LIVE.search(read):
        return inline_code(word.replace("`", "'"))
    return _BUILDING.sub(lambda match: _ENTITIES.get(match[0], match[0]), word)
