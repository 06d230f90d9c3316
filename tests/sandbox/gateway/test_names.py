"""Hosts as hostile programs write them."""

from __future__ import annotations

import pytest

from sandbox.gateway.errors import BadName
from sandbox.gateway.names import Target, matches, most_specific, parse_authority, parse_host, parse_pattern, parse_url

HOSTILE = {
    "nothing": "",
    "only a dot": ".",
    "nul": "allowed.test\0.evil.test",
    "space": "allowed.test evil.test",
    "tab": "allowed.test\t",
    "line feed": "allowed.test\nevil.test",
    "carriage return": "allowed.test\revil.test",
    "delete": "allowed.test\x7f",
    "not ascii": "ällowed.test",
    "full-width letters": "\uff41llowed.test",
    "full-width dot": "allowed。test",
    "user information": "allowed.test@evil.test",
    "percent encoding": "allowed%2etest",
    "backslash": "allowed.test\\evil.test",
    "slash": "allowed.test/evil.test",
    "question mark": "evil.test?allowed.test",
    "hash": "evil.test#allowed.test",
    "comma": "allowed.test,evil.test",
    "empty label": "allowed..test",
    "leading dot": ".allowed.test",
    "two dots at the end": "allowed.test..",
    "label of 64": "a" * 64 + ".test",
    "name of 254": ".".join(["a" * 49] * 5) + ".test",
    "leading hyphen": "-allowed.test",
    "trailing hyphen": "allowed-.test",
    "octal": "0177.0.0.1",
    "octal in the middle": "127.00.0.1",
    "hex": "0x7f.0.0.1",
    "hex integer": "0x7f000001",
    "decimal integer": "2130706433",
    "short form": "127.1",
    "short form of three": "127.0.1",
    "too many parts": "127.0.0.0.1",
    "part over 255": "256.0.0.1",
    "address with a dot at the end": "127.0.0.1.",
    "name ending in a number": "allowed.1",
    "name ending in hex": "allowed.0x1",
    "bare ipv6": "::1",
    "ipv6 with zone": "[fe80::1%eth0]",
    "ipv6 with zone number": "[fe80::1%25eth0]",
    "ipv6 unclosed": "[::1",
    "ipv6 empty": "[]",
    "bracketed name": "[allowed.test]",
    "bracketed ipv4": "[127.0.0.1]",
    "circled digits": "①②⑦.0.0.1",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_host_notation_is_refused(text: str) -> None:
    with pytest.raises(BadName) as caught:
        parse_host(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("Allowed.TEST", "allowed.test"),
        ("allowed.test.", "allowed.test"),
        ("xn--llowed-9wa.test", "xn--llowed-9wa.test"),
        ("_dmarc.allowed.test", "_dmarc.allowed.test"),
        ("localhost", "localhost"),
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:DB8:0:0::1]", "2001:db8::1"),
        ("1password.test", "1password.test"),
    ],
)
def test_host_has_one_spelling(text: str, canonical: str) -> None:
    assert parse_host(text) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "a.test:",
        "a.test:0",
        "a.test:65536",
        "a.test:080",
        "a.test:80:80",
        "a.test:+80",
        "a.test:8 0",
        "a.test:\uff18\uff10",
        "::1:80",
        "u:p@a.test:80",
    ],
)
def test_hostile_port_is_refused(text: str) -> None:
    with pytest.raises(BadName):
        parse_authority(text)


def test_port_is_needed_where_none_is_implied() -> None:
    with pytest.raises(BadName):
        parse_authority("a.test")
    assert parse_authority("a.test", 443) == Target("a.test", 443)
    assert parse_authority("[::1]:8080") == Target("::1", 8080)


@pytest.mark.parametrize(
    "url",
    [
        "https://a.test/",
        "ftp://a.test/",
        "http:/a.test",
        "//a.test/",
        "a.test/",
        "http://u@a.test/",
        "http:///x",
        "http://a.test\\@b.test/",
    ],
)
def test_hostile_url_is_refused(url: str) -> None:
    with pytest.raises(BadName):
        parse_url(url)


def test_url_falls_into_host_port_and_path() -> None:
    assert parse_url("http://A.test:8080?x=http://b.test/") == (Target("a.test", 8080), "/?x=http://b.test/")


@pytest.mark.parametrize(
    ("pattern", "host", "fits"),
    [
        ("a.test", "a.test", True),
        ("a.test", "b.a.test", False),
        ("a.test", "xa.test", False),
        ("*.a.test", "b.a.test", True),
        ("*.a.test", "c.b.a.test", True),
        ("*.a.test", "a.test", False),
        ("*.a.test", "ba.test", False),
        ("*.a.test", "b.a.test.evil.test", False),
    ],
)
def test_pattern_means_exactly_what_it_says(pattern: str, host: str, fits: bool) -> None:
    assert matches(parse_pattern(pattern), host) is fits


def test_most_specific_pattern_wins() -> None:
    patterns = ["*.test", "*.a.test", "b.a.test"]
    assert most_specific(patterns, "b.a.test") == "b.a.test"
    assert most_specific(patterns, "c.a.test") == "*.a.test"
    assert most_specific(patterns, "c.test") == "*.test"
    assert most_specific(patterns, "c.example") is None


@pytest.mark.parametrize("pattern", ["*", "*.", "a.*.test", "*a.test", "**.test", "*.127.0.0.1", "10.0.0.1", "http://a.test"])
def test_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(BadName):
        parse_pattern(pattern)
