"""Takes credentials and what names or reaches a person out of a text, before it is kept or shared.

Patterns find what has a form of its own: keys, tokens, addresses, numbers with a check digit. A name in a sentence has none and stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

CREDENTIAL = re.compile(
    r"gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_[A-Za-z0-9_]{20,255}"
    r"|sk-ant-[A-Za-z0-9_-]{20,}|sk-(?:proj-)?[A-Za-z0-9_-]{32,}|box_[A-Za-z0-9_-]{40,}"
    r"|xox[abprs]-[A-Za-z0-9-]{10,}|AIza[A-Za-z0-9_-]{35}|(?:AKIA|ASIA)[A-Z0-9]{16}|glpat-[A-Za-z0-9_-]{20,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----(?:(?!-----BEGIN).)*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
"""Credentials that can be told by their looks."""


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """A text without what was found in it, and the kinds of that, each once, in order: `credential`, `email`, `phone`, …"""

    text: str
    found: tuple[str, ...]


def _digits(text: str) -> list[int]:
    return [int(letter) for letter in text if letter.isdigit()]


def _is_card(text: str) -> bool:
    """Luhn's check digit fits."""
    digits = _digits(text)
    doubled = [digit * 2 - 9 * (digit > 4) if at % 2 else digit for at, digit in enumerate(reversed(digits))]
    return 13 <= len(digits) <= 19 and sum(doubled) % 10 == 0


def _is_iban(text: str) -> bool:
    """The check digits of ISO 13616 fit."""
    plain = text.replace(" ", "")
    return 15 <= len(plain) <= 34 and int("".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])) % 97 == 1


def _is_phone(text: str) -> bool:
    return 8 <= len(_digits(text)) <= 15


def _is_address(text: str) -> bool:
    return all(part < 256 for part in map(int, text.split(".")))


def _always(_: str) -> bool:
    return True


_NAMES = r"(?:\w{0,40}(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|session[_-]?id)|pwd|sid)"
_ASSIGNED = re.compile(rf"(?i)(?<![\w-])(?P<name>{_NAMES}[\"']?\s{{0,3}}[:=]\s{{0,3}}[\"']?)(?!\[credential\])[^\s\"'&,;<>]{{3,500}}")
_SIGN = r"\s{0,3}[:=]\s{0,3}"
_SCHEMES = rf"(?:proxy-)?authorization{_SIGN}(?:basic|bearer|token|digest)|x-api-key{_SIGN}|bearer"
_HEADER = re.compile(rf"(?i)(?<![\w-])(?P<name>(?:{_SCHEMES})\s{{0,5}}(?<=[\s:=]))(?!\[)[\w.~+/=-]{{8,}}")
_COOKIE = re.compile(r"(?i)(?<![\w-])(?P<name>(?:set-)?cookie\s{0,3}:\s{0,3}[\w.-]{1,60}=)(?!\[)[^\s;]{4,}")
_PREFIXED = re.compile(
    r"(?<![\w-])(?:[sr]k_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{16,}|npm_[A-Za-z0-9]{20,}|hf_[A-Za-z0-9]{20,}|pypi-[\w-]{30,}"
    r"|SG\.[\w-]{10,}\.[\w-]{10,}|xapp-[\w-]{10,}|ya29\.[\w-]{20,}|dop_v1_[a-f0-9]{40,}|https://hooks\.slack\.com/services/[\w/]{10,})"
)
_CREDENTIALS = (
    CREDENTIAL,
    _PREFIXED,
    re.compile(r"(?<=://)[^\s/@:]{0,200}:[^\s/@]{1,200}(?=@)"),
    re.compile(r"\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}"),
    _HEADER,
    _COOKIE,
    _ASSIGNED,
)
_EMAIL = re.compile(r"[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
_IBAN = re.compile(r"(?i)\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b")
_CARD = re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?!\w|\.\w)")
_PHONE = re.compile(r"(?<![\w.])(?:\+|00)\d(?:[ ()./-]{0,2}\d){7,14}(?!\w)|(?<![\w.])\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?!\w|\.\d)")
_ADDRESS = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])")
_KINDS: tuple[tuple[str, re.Pattern[str], Callable[[str], bool]], ...] = (
    *(("credential", pattern, _always) for pattern in _CREDENTIALS),
    ("email", _EMAIL, _always),
    ("iban", _IBAN, _is_iban),
    ("card", _CARD, _is_card),
    ("phone", _PHONE, _is_phone),
    ("address", _ADDRESS, _is_address),
)


def scrub(text: str) -> Scrubbed:
    """`text` with a word in brackets, like `[email]`, in place of each thing found."""
    found: list[str] = []
    for kind, pattern, is_one in _KINDS:

        def place(match: re.Match[str], kind: str = kind, is_one: Callable[[str], bool] = is_one) -> str:
            if not is_one(match[0]):
                return match[0]
            found.append(kind)
            return f"{match.groupdict().get('name') or ''}[{kind}]"

        text = pattern.sub(place, text)
    return Scrubbed(text, tuple(dict.fromkeys(found)))
