"""Where connections go, and where they never do."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence

import pytest

from sandbox.gateway.access import BoxAccess
from sandbox.gateway.policy import NetworkPolicy
from sandbox.gateway.resolve import SystemResolver
from sandbox.gateway.settings import GatewaySettings, Limits
from tests.sandbox.gateway.conftest import BOX, Net, OpenNet
from tests.sandbox.gateway.outside import ADDRESS, Outside

CUSTOM = BoxAccess(NetworkPolicy(mode="custom", allowed_domains=("allowed.test", "*.below.test")))


def _get(host: str) -> bytes:
    return f"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()


def _connect(authority: str) -> bytes:
    return f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode()


PRIVATE = ["127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe", "fd00::1", "::1"]


@pytest.mark.parametrize("address", PRIVATE)
async def test_private_address_is_refused(net: Net, address: str) -> None:
    literal = f"[{address}]" if ":" in address else address
    for request in (_get(literal), _connect(f"{literal}:443")):
        answer = await net.say(request)
        assert answer.startswith(b"HTTP/1.1 403 ")
        assert b"is refused by the box's network policy: address " in answer
    assert net.outside.connected == []


@pytest.mark.parametrize("address", PRIVATE)
async def test_custom_cidr_does_not_open_private_addresses(open_net: OpenNet, address: str) -> None:
    policy = NetworkPolicy.model_validate({"mode": "custom", "allowed_cidrs": ["0.0.0.0/0", "::/0"]})
    async with open_net(access=BoxAccess(policy), outside=Outside({"rebound.test": [address]})) as net:
        assert (await net.say(_get("rebound.test"))).startswith(b"HTTP/1.1 403 ")
        assert net.outside.connected == []


async def test_name_that_resolves_to_a_private_address_is_refused(open_net: OpenNet) -> None:
    async with open_net(outside=Outside({"rebound.test": ["10.0.0.7", "fe80::1%eth0"]})) as net:
        answer = await net.say(_connect("rebound.test:443"))
        assert b"403" in answer.split(b"\r\n")[0]
        assert b"rebound.test" in answer
        assert b"address 10.0.0.7 (private)" in answer
        assert net.outside.connected == []


async def test_only_checked_addresses_of_a_name_are_connected_to(open_net: OpenNet) -> None:
    async with open_net(outside=Outside({"mixed.test": ["10.0.0.7", ADDRESS]})) as net:
        assert (await net.say(_get("mixed.test"))).endswith(b"hello\r\n0\r\n\r\n")
        assert net.outside.connected == [(ADDRESS, 80)]


async def test_name_is_looked_up_once_and_connected_to_by_address(net: Net) -> None:
    await net.say(_get("allowed.test"))
    assert net.outside.looked_up == ["allowed.test"]
    assert net.outside.connected == [(ADDRESS, 80)]


async def test_deny_all_asks_no_dns(open_net: OpenNet) -> None:
    async with open_net(access=BoxAccess(NetworkPolicy(mode="deny-all"))) as net:
        for request in (_get("secret.evil.test"), _connect("secret.evil.test:443")):
            assert (await net.say(request)).startswith(b"HTTP/1.1 403 ")
        assert net.outside.looked_up == []


async def test_unlisted_name_asks_no_dns(open_net: OpenNet) -> None:
    async with open_net(access=CUSTOM) as net:
        assert b"not in allowed_domains" in await net.say(_get("secret.evil.test"))
        assert net.outside.looked_up == []


@pytest.mark.parametrize("host", ["allowed.test", "x.below.test", "ALLOWED.test."], ids=["exact", "suffix", "other spelling"])
async def test_listed_host_is_reached(open_net: OpenNet, host: str) -> None:
    names = {"allowed.test": [ADDRESS], "x.below.test": [ADDRESS]}
    async with open_net(access=CUSTOM, outside=Outside(names)) as net:
        assert (await net.say(_get(host))).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("host", ["x.allowed.test", "below.test", "allowed.test.evil.test", "93.184.215.14"])
async def test_host_that_only_looks_listed_is_refused(open_net: OpenNet, host: str) -> None:
    async with open_net(access=CUSTOM) as net:
        assert (await net.say(_get(host))).startswith(b"HTTP/1.1 403 ")


async def test_denied_cidr_beats_listed_name(open_net: OpenNet) -> None:
    wire = {"mode": "custom", "allowed_domains": ["allowed.test"], "denied_cidrs": ["93.184.0.0/16"]}
    async with open_net(access=BoxAccess(NetworkPolicy.model_validate(wire))) as net:
        assert b"denied_cidrs 93.184.0.0/16" in await net.say(_get("allowed.test"))
        assert net.outside.connected == []


@pytest.mark.parametrize("port", [22, 25, 3128, 6379, 8443])
async def test_other_ports_are_refused(net: Net, port: int) -> None:
    assert f"port {port}".encode() in await net.say(_connect(f"allowed.test:{port}"))
    assert net.outside.looked_up == []


@pytest.mark.parametrize("host", ["0x5db8d70e", "1572394766", "93.184.55054", "a\\b.test", "b@allowed.test", "allowed%2etest"])
async def test_hostile_host_is_refused_before_anything_else(net: Net, host: str) -> None:
    for request in (_get(host), _connect(f"{host}:443")):
        assert (await net.say(request)).startswith(b"HTTP/1.1 400 ")
    assert (net.outside.looked_up, net.outside.connected) == ([], [])


async def test_name_that_takes_too_long_is_a_gateway_timeout(open_net: OpenNet) -> None:
    class Silent(Outside):
        async def resolve(self, host: str) -> Sequence[str]:
            await asyncio.sleep(60)
            return await super().resolve(host)

    async with open_net(outside=Silent(), settings=GatewaySettings(limits=Limits(resolve_s=0.05))) as net:
        assert (await net.say(_get("allowed.test"))).startswith(b"HTTP/1.1 504 ")


async def test_system_resolver_gives_each_address_once() -> None:
    assert await SystemResolver()("127.0.0.1") == ["127.0.0.1"]


async def test_unknown_name_and_closed_port_are_the_servers_fault(net: Net) -> None:
    net.outside.names["closed.test"] = ["1.1.1.1"]
    assert (await net.say(_get("unknown.test"))).startswith(b"HTTP/1.1 502 ")
    assert (await net.say(_connect("closed.test:443"))).startswith(b"HTTP/1.1 502 ")


async def test_curl_reaches_an_allowed_host_by_http_and_https(net: Net) -> None:
    assert await net.curl("http://allowed.test/") == (0, "hello", "")
    assert await net.curl("https://allowed.test/") == (0, "hello", "")
    assert [decision.outcome for decision in net.gateway.decisions(BOX)] == ["allowed", "allowed"]
    assert all(decision.received_bytes for decision in net.gateway.decisions(BOX))


async def test_refused_curl_is_told_why(open_net: OpenNet) -> None:
    async with open_net(access=BoxAccess(NetworkPolicy(mode="deny-all"))) as net:
        code, out, err = await net.curl("https://allowed.test/")
        assert (code, out) == (56, "")
        assert "403" in err


async def test_refusal_can_look_like_a_filter_in_the_network(open_net: OpenNet) -> None:
    settings = GatewaySettings(refuse_tls_with="alert")
    async with open_net(access=BoxAccess(NetworkPolicy(mode="deny-all")), settings=settings) as net:
        code, out, _ = await net.curl("https://allowed.test/")
        assert (code, out) == (35, "")


@pytest.mark.parametrize("refused", [NetworkPolicy(mode="deny-all"), NetworkPolicy(mode="custom", allowed_domains=("other.test",))])
async def test_policy_change_cuts_a_live_tunnel(net: Net, authorities: object, refused: NetworkPolicy) -> None:
    async with net.tunnel("allowed.test:443") as (reader, writer):
        context = ssl.create_default_context(cafile=net.bundle)
        await writer.start_tls(context, server_hostname="allowed.test")
        net.gateway.set_policy(BOX, refused)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError, ssl.SSLError)):
            await reader.readexactly(1)
    assert (await net.say(_get("allowed.test"))).startswith(b"HTTP/1.1 403 ")


async def test_policy_change_during_a_lookup_counts(open_net: OpenNet) -> None:
    class Slow(Outside):
        async def resolve(self, host: str) -> Sequence[str]:
            net.gateway.set_policy(BOX, NetworkPolicy(mode="deny-all"))
            return await super().resolve(host)

    async with open_net(outside=Slow()) as net:
        assert (await net.say(_connect("allowed.test:443"))).startswith(b"HTTP/1.1 403 ")
        assert net.outside.connected == []


async def test_policy_change_leaves_alone_what_it_allows(net: Net) -> None:
    async with net.tunnel("allowed.test:443") as (reader, writer):
        await writer.start_tls(ssl.create_default_context(cafile=net.bundle), server_hostname="allowed.test")
        net.gateway.set_policy(BOX, CUSTOM.policy)
        writer.write(b"GET / HTTP/1.1\r\nHost: allowed.test\r\n\r\n")
        assert b"200" in await reader.readline()
