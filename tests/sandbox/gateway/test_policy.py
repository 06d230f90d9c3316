"""What a policy allows, and what no policy can."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from pydantic import ValidationError

from sandbox.gateway.addresses import why_never
from sandbox.gateway.policy import NetworkPolicy

NEVER = {
    "loopback": "127.0.0.1",
    "rest of loopback": "127.255.255.254",
    "this host": "0.0.0.0",
    "private 10": "10.1.2.3",
    "private 172.16": "172.31.255.255",
    "private 192.168": "192.168.1.1",
    "carrier-grade nat": "100.64.0.1",
    "metadata of aws, gcp and azure": "169.254.169.254",
    "metadata of ecs": "169.254.170.2",
    "metadata of alibaba": "100.100.100.200",
    "metadata of oracle": "192.0.0.192",
    "wire server of azure": "168.63.129.16",
    "metadata of aws in ipv6": "fd00:ec2::254",
    "link-local": "169.254.0.1",
    "benchmark": "198.18.0.1",
    "documentation 1": "192.0.2.1",
    "documentation 2": "198.51.100.1",
    "documentation 3": "203.0.113.1",
    "multicast": "224.0.0.1",
    "reserved": "240.0.0.1",
    "broadcast": "255.255.255.255",
    "6to4 relay": "192.88.99.1",
    "unspecified ipv6": "::",
    "loopback ipv6": "::1",
    "mapped loopback": "::ffff:127.0.0.1",
    "mapped public": "::ffff:93.184.215.14",
    "compatible": "::127.0.0.1",
    "translated siit": "::ffff:0:127.0.0.1",
    "nat64 loopback": "64:ff9b::7f00:1",
    "nat64 metadata": "64:ff9b::a9fe:a9fe",
    "nat64 local": "64:ff9b:1::7f00:1",
    "6to4 private": "2002:a00:1::1",
    "teredo": "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "unique local": "fc00::1",
    "link-local ipv6": "fe80::1",
    "site-local": "fec0::1",
    "multicast ipv6": "ff02::1",
    "documentation ipv6": "2001:db8::1",
    "documentation ipv6 new": "3fff::1",
    "discard": "100::1",
    "unassigned ipv6": "4000::1",
}


@pytest.mark.parametrize("address", NEVER.values(), ids=NEVER.keys())
def test_address_that_no_policy_opens(address: str) -> None:
    assert why_never(ip_address(address)) is not None


@pytest.mark.parametrize("address", ["93.184.215.14", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111"])
def test_public_address_is_open(address: str) -> None:
    assert why_never(ip_address(address)) is None


def test_private_address_opens_by_the_operators_word_alone() -> None:
    assert why_never(ip_address("10.1.2.3"), (ip_network("10.1.0.0/16"),)) is None
    assert why_never(ip_address("10.2.2.3"), (ip_network("10.1.0.0/16"),)) == "private"


def _says(policy: NetworkPolicy, host: str, address: str) -> bool:
    before = policy.decide(host)
    return before.allowed and policy.decide_address(ip_address(address), before).allowed


def test_modes_without_lists() -> None:
    assert _says(NetworkPolicy(), "any.test", "1.1.1.1")
    assert not NetworkPolicy(mode="deny-all").decide("any.test").allowed
    assert not NetworkPolicy(mode="custom").decide("any.test").allowed


CUSTOM = NetworkPolicy.model_validate(
    {
        "mode": "custom",
        "allowed_domains": ["A.test.", "*.b.test"],
        "allowed_cidrs": ["9.9.9.0/24"],
        "denied_cidrs": ["9.9.9.9/32", "8.8.0.0/16"],
    }
)


@pytest.mark.parametrize(
    ("host", "address", "allowed"),
    [
        ("a.test", "1.1.1.1", True),
        ("x.a.test", "1.1.1.1", False),
        ("x.b.test", "1.1.1.1", True),
        ("b.test", "1.1.1.1", False),
        ("a.test", "8.8.8.8", False),
        ("other.test", "9.9.9.1", True),
        ("other.test", "9.9.9.9", False),
        ("other.test", "1.1.1.1", False),
        ("9.9.9.1", "9.9.9.1", True),
        ("1.1.1.1", "1.1.1.1", False),
    ],
)
def test_custom_policy(host: str, address: str, allowed: bool) -> None:
    assert _says(CUSTOM, host, address) is allowed


def test_lists_may_be_null_on_the_wire_and_stay_out_on_the_way_back() -> None:
    sent = {"mode": "custom", "allowed_domains": ["a.test"], "allowed_cidrs": None, "denied_cidrs": None}
    policy = NetworkPolicy.model_validate(sent)
    assert policy.model_dump(mode="json", exclude_defaults=True) == {"mode": "custom", "allowed_domains": ["a.test"]}


@pytest.mark.parametrize(
    "wire",
    [
        {"mode": "open"},
        {"mode": "allow-all", "allowed_domains": ["a.test"]},
        {"mode": "deny-all", "allowed_cidrs": ["9.9.9.0/24"]},
        {"mode": "custom", "allowed_domains": ["*"]},
        {"mode": "custom", "allowed_domains": ["10.0.0.1"]},
        {"mode": "custom", "allowed_domains": ["http://a.test"]},
        {"mode": "custom", "allowed_cidrs": ["9.9.9.1/24"]},
        {"mode": "custom", "allowed_cidrs": ["9.9.9/24"]},
        {"mode": "custom", "allowed_cidrs": [5]},
        {"mode": "custom", "denied_cidrs": ["fe80::1%eth0/64"]},
        {"mode": "custom", "allowed": ["a.test"]},
    ],
)
def test_policy_that_is_none_is_refused(wire: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        NetworkPolicy.model_validate(wire)
