"""When two texts say the same: a rule that joins little, and never what differs in a number, a name, a negation or an order.

Texts are the same if what is left of them is equal: words without their endings, in their order, without those that carry nothing.
Numbers, signs, names in quotes and names of code stay as they are. `docs/knowledge.md` has what this was measured against.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

# Words whose absence changes no statement. What negates, limits, compares, or says when, where and whether stays.
_EMPTY_WORDS = """
a an the is are was were be been being it its this that these those there of to so very just also then please
"""
_EMPTY = frozenset(_EMPTY_WORDS.split())
_NEGATED = {
    "can't": "can",
    "cannot": "can",
    "won't": "will",
    "mustn't": "must",
    "shouldn't": "should",
    "don't": "do",
    "doesn't": "do",
    "didn't": "did",
}
_SAME = {
    **{word: (plain, "not") for word, plain in _NEGATED.items()},
    **dict.fromkeys(("isn't", "aren't", "wasn't", "weren't"), ("not",)),
    **{
        word: (plain,)
        for word, plain in (
            ("does", "do"),
            ("has", "have"),
            ("requires", "need"),
            ("require", "need"),
            ("required", "needed"),
            ("every", "each"),
        )
    },
}
_PIECE = re.compile(
    r"\"[^\"]*\"|`[^`]*`|“[^”]*”|(?<!\w)'[^']*'(?!\w)"  # in quotes
    r"|[^\W\d]+(?:['\u2019][^\W\d]+)?(?![\w./\\:@#-]*[\w])"  # a word
    r"|[^\s\"`“”]*\w[^\s\"`“”]*"  # a number, a path, an identifier, whatever else holds a letter or digit
    r"|[<>=+*/%^&|~!?-]+"  # signs that mean something
)
_QUOTES = "\"`“”'"
_TAIL = ".,;:!?)]}…"


def signature(text: str) -> str:
    """What two texts have in common if they say the same, and only then: 32 hex digits."""
    return hashlib.sha256("\0".join(_kept(text)).encode()).hexdigest()[:32]


def _kept(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKC", text).replace("\u2019", "'")
    kept: list[str] = []
    for piece in _PIECE.findall(plain):
        kept += _words(piece)
    return kept or [plain.strip()]


def _words(piece: str) -> list[str]:
    if piece[0] in _QUOTES and piece[-1] in _QUOTES and len(piece) > 1:
        return [f"“{piece[1:-1]}”"]
    bare = piece.strip("([{").rstrip(_TAIL) if any(letter.isalnum() for letter in piece) else piece.rstrip("!?.-")
    if not bare:
        return []
    if not re.fullmatch(r"[^\W\d_]+(?:'[^\W\d_]+)?", bare) or re.search(r"[^\W\d_a-z].*[A-Z]|[a-z][A-Z]", bare):
        return [bare]  # a number, a path, or a name of code: as it is
    word = bare.lower()
    return [_stem(part) for part in _SAME.get(word, (word,)) if part not in _EMPTY]


def _stem(word: str) -> str:
    """Without the ending of a plural."""
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    if len(word) > 4 and word.endswith(("sses", "xes", "ches", "shes", "zes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word
