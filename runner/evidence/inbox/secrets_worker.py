"""Runs detect-secrets' plugins over lines: JSON lines `[file, line, name, text]` in, `[file, line, plugin, kind, secret]` out.

A script of its own: it alone imports the library, from the folder given as its argument. The library's file
filters and inline allow-lists are not used, because whoever writes the secret could write those as well.
"""

from __future__ import annotations

import json
import re
import sys
import types
from collections.abc import Iterator
from importlib import import_module
from typing import Any

# Only verification would send anything, and there is no network: the import is spared.
sys.modules["requests"] = types.ModuleType("requests")
sys.path.insert(0, sys.argv[1])

PLUGINS = [
    "artifactory:ArtifactoryDetector",
    "aws:AWSKeyDetector",
    "azure_storage_key:AzureStorageKeyDetector",
    "basic_auth:BasicAuthDetector",
    "cloudant:CloudantDetector",
    "discord:DiscordBotTokenDetector",
    "github_token:GitHubTokenDetector",
    "gitlab_token:GitLabTokenDetector",
    "high_entropy_strings:Base64HighEntropyString",
    "high_entropy_strings:HexHighEntropyString",
    "jwt:JwtTokenDetector",
    "keyword:KeywordDetector",
    "mailchimp:MailchimpDetector",
    "npm:NpmDetector",
    "openai:OpenAIDetector",
    "private_key:PrivateKeyDetector",
    "pypi_token:PypiTokenDetector",
    "sendgrid:SendGridDetector",
    "slack:SlackDetector",
    "square_oauth:SquareOAuthDetector",
    "stripe:StripeDetector",
    "telegram_token:TelegramBotTokenDetector",
    "twilio:TwilioKeyDetector",
]
VAGUE = ("KeywordDetector", "Base64HighEntropyString", "HexHighEntropyString", "BasicAuthDetector")
_DIGEST = re.compile(r"sha\d|hash|digest|integrity|checksum|fingerprint|commit|etag|nonce|uuid|base64|data:", re.IGNORECASE)
_COMMENT = re.compile(r"\s+#.*$")
_PLACEHOLDER = re.compile(
    r"^(your|my|some|the|a|an|test|dummy|fake|example|sample|placeholder|change|insert|replace|redacted|none|null|true|false|todo|xxx)"
    r"([^a-z].*)?$|^(.)\2+$|change_?me|x{4,}|\*{3,}|\.{3}|example|^\W*$|^(pass(word|wd)?|secret|token|key|api_?key)$",
    re.IGNORECASE,
)


def load() -> list[Any]:
    """The plugins this version of the library has."""
    plugins = []
    for entry in PLUGINS:
        module, name = entry.split(":")
        try:
            plugins.append(getattr(import_module(f"detect_secrets.plugins.{module}"), name)())
        except (ImportError, AttributeError):
            continue
    return plugins


def believable(name: str, secret: str, line: str, heuristic: Any) -> bool:
    """False for what only looks like a secret: ids, digests, templates, references, placeholders."""
    if heuristic.is_templated_secret(secret) or heuristic.is_sequential_string(secret):
        return False
    if name not in VAGUE:
        return True
    if name.endswith("EntropyString") and (len(secret) < 20 or _DIGEST.search(line)):
        return False
    if name == "BasicAuthDetector":
        return not _PLACEHOLDER.search(secret)
    return not (
        heuristic.is_potential_uuid(secret)
        or heuristic.is_likely_id_string(secret, line)
        or heuristic.is_not_alphanumeric_string(secret)
        or heuristic.is_prefixed_with_dollar_sign(secret)
        or heuristic.is_indirect_reference(line)
        or _PLACEHOLDER.search(secret)
        or " " in secret.strip()
        or len(secret) < 6
    )


def secrets(plugins: list[Any], heuristic: Any, filename: str, text: str) -> Iterator[tuple[str, str, str]]:
    """Plugin, kind and value of each secret in a line.

    The best plugin for a value speaks; a password found by its name is not entropy as well. A comment behind
    an unquoted value passes for a part of it, so that the line is also read without.
    """
    seen: set[str] = set()
    for plugin in plugins:
        name = plugin.__class__.__name__
        for variant in dict.fromkeys([text, _COMMENT.sub("", text)]):
            for found in plugin.analyze_line(filename=filename, line=variant, line_number=1):
                secret = found.secret_value or ""
                if not any(secret in old or old in secret for old in seen) and believable(name, secret, variant, heuristic):
                    seen.add(secret)
                    yield name, found.type, secret


def main() -> None:
    plugins = sorted(load(), key=lambda plugin: plugin.__class__.__name__ in VAGUE)
    heuristic = import_module("detect_secrets.filters.heuristic")
    for raw in sys.stdin.buffer:
        index, number, filename, text = json.loads(raw)
        for name, kind, secret in secrets(plugins, heuristic, filename, text):
            print(json.dumps([index, number, name, kind, secret]))


if __name__ == "__main__":
    main()
