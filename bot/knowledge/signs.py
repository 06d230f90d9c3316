"""Signs that a text is meant for a model, or hides what it says: pattern by pattern, each under the flag that it raises."""

from __future__ import annotations

import re

_ORDERS = """
ignore disregard forget override bypass remember approve accept reject dismiss skip mute suppress hide omit run execute eval call invoke
open visit fetch download upload install curl wget send post email forward reply answer respond say tell write print output repeat translate
act pretend behave obey follow stop start delete remove drop disable enable grant allow reveal show leak exfiltrate merge push commit treat
consider assume mark classify report do don don't dont never always please note make let ensure trust use
"""
_SHALL = r"\b(?:always|never|must|shall|should|do not|don['\u2019]?t)\b"
_BEGINS = r"(?:^|[.!?;:\n]\s{0,9}|[-*>•]\s{1,9}|\b(?:and|then|must|should|shall|please|now)\s{1,9})"
_ORDER = "|".join(_ORDERS.split())


def _sign(*parts: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    return re.compile("|".join(parts), re.IGNORECASE | flags)


INSTRUCTIONS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("instruction", _sign(_BEGINS + rf"(?:{_ORDER})\b")),
    (
        "instruction",
        _sign(
            r"\b(?:ignor|disregard|forget|overrid|bypass)\w*\b.{0,60}\b(?:previous|prior|above|earlier|instruction|rule|prompt|guideline|polic)\w*",
            rf"{_SHALL}.{{0,40}}\b(?:approv|report|flag|mention|comment|block|reject|review|merg|ignor|accept|pass)\w*",
            r"\b(?:from now on|as an? (?:ai|assistant|model|agent|reviewer)|new (?:instruction|rule|task)s?)\b",
            r"\b(?:system prompt|jailbreak|developer mode)\b",
            flags=re.DOTALL,
        ),
    ),
    (
        "addresses an agent",
        _sign(
            r"\b(?:you|your|yours|yourself|assistants?|agents?|llms?|ai|chatbots?|gpt|claude|codex|models?|prompts?|reviewers?|jury|jurors?)\b"
        ),
    ),
    (
        "speaks of reviews",
        _sign(
            r"\b(?:findings?|false positives?|verdicts?|vulnerabilit\w+|severit\w+|reviews?|reviewed|analy[sz]ers?|linters?|warnings?)\b",
            r"\b(?:problems?|issues?|bugs?|alerts?|alarms?|defects?|reports?|reported|noise|harmless)\b",
            r"\b(?:injections?|exploits?|safe to (?:merge|ignore)|secure|insecure)\b",
        ),
    ),
)
"""What says to a model what it shall do or think."""

FORMS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("url", _sign(r"\w+://|\bwww\.|\b(?:javascript|data|mailto):|\b[\w-]+\.(?:com|net|org|io|dev|sh|ru|cn|xyz|app|ai|co)\b")),
    ("code", _sign(r"```|~~~|\$\(|&&|\|\||<\(|\brm -|\b(?:sudo|bash|chmod|base64|eval|exec)\b|;\s*\w+ -|\|\s*(?:sh|bash|python)\b")),
    ("markup", _sign(r"<[/!?a-z][^>]*>?|!?\[[^\]]*\]\(|\{\{|\{%|&#?\w+;")),
    (
        "role marker",
        _sign(
            r"^[^\w\n]{0,200}(?:system|user|assistant|human|developer|tool|function)[^\w\n]{0,200}[:\]|>]",
            r"<\|?/?(?:im_start|im_end|system|user|assistant|end|s)\|?>|\[/?INST\]|###|<<|>>",
            flags=re.MULTILINE,
        ),
    ),
    ("tool call", _sign(r"\b(?:tool_use|tool_call|tool_result|function_call|invoke)\b|\"(?:name|arguments|input|command)\"\s*:|[{}]")),
    ("spelled out", _sign(r"(?:\b\w[\W_]+){5,}\w\b")),
    ("encoded", _sign(r"[A-Za-z0-9+/_-]{40,}={0,2}|(?:\\x[0-9a-f]{2}){3,}|(?:\\u[0-9a-f]{4}){2,}|(?:%[0-9a-f]{2}){4,}")),
)
"""What is no plain sentence."""

_COMMON_WORDS = """
the a an of to in on at by for from with and or but is are was were be been has have had it its this that these those not no after before
when if than then each every all only needs need must can may will as per does do about into over under
"""
ENGLISH = frozenset(_COMMON_WORDS.split())
"""Words of which a sentence in English has one. In other languages the patterns say nothing."""
DIGITS_FOR_LETTERS = tuple(str.maketrans("01345789@$!|", f"o{one}eastbgasil") for one in "il")
"""What digits pass for; a 1 for two letters."""
