"""Headers that are put in on the way out, and seen nowhere else."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from sandbox.gateway.access import BoxAccess
from sandbox.gateway.authority import Authority
from sandbox.gateway.errors import BadHeaders
from sandbox.gateway.headers import AttachedHeaders
from sandbox.gateway.policy import NetworkPolicy
from tests.sandbox.gateway.conftest import BOX, OpenNet
from tests.sandbox.gateway.outside import ADDRESS, Outside, Reply

SECRET = "Bearer s3cret-value"
ATTACHED = BoxAccess(NetworkPolicy(), AttachedHeaders({"allowed.test": {"Authorization": SECRET}}))


async def test_attached_header_reaches_the_server_and_nobody_else(open_net: OpenNet, capfd: pytest.CaptureFixture[str]) -> None:
    async with open_net(access=ATTACHED) as net:
        code, out, err = await net.curl("-v", "https://allowed.test/a?b=c")
        assert (code, out) == (0, "hello")
        (seen,) = net.https.seen
        assert seen.header("authorization") == SECRET
        assert seen.target == "/a?b=c"
        logged = "".join(capfd.readouterr())
        for place in (out, err, logged, repr(net.gateway.decisions(BOX)), repr(ATTACHED)):
            assert "s3cret" not in place


async def test_header_of_the_box_is_replaced(open_net: OpenNet) -> None:
    async with open_net(access=ATTACHED) as net:
        await net.curl("-H", "AUTHORIZATION: mine", "-H", "X-Other: kept", "https://allowed.test/")
        (seen,) = net.https.seen
        assert seen.header("authorization") == SECRET
        assert seen.header("x-other") == "kept"


async def test_connection_header_cannot_remove_the_attached_one(open_net: OpenNet) -> None:
    async with open_net(access=ATTACHED) as net:
        await net.curl("-H", "Connection: close, Authorization", "https://allowed.test/")
        assert net.https.seen[0].header("authorization") == SECRET


async def test_plain_http_gets_no_attached_header(open_net: OpenNet) -> None:
    async with open_net(access=ATTACHED) as net:
        await net.curl("http://allowed.test/")
        assert net.http.seen[0].header("authorization") is None


async def test_other_hosts_pass_untouched(open_net: OpenNet, authorities: tuple[Authority, Authority], tmp_path: Path) -> None:
    access = BoxAccess(NetworkPolicy(), AttachedHeaders({"*.allowed.test": {"X-Key": SECRET}}))
    async with open_net(access=access) as net:
        (tmp_path / "internet.pem").write_text(authorities[1].certificate)
        code, out, _ = await net.curl("--cacert", str(tmp_path / "internet.pem"), "https://allowed.test/")
        assert (code, out) == (0, "hello")
        assert net.https.seen[0].header("x-key") is None


async def test_matched_host_is_served_over_http_1_1(open_net: OpenNet) -> None:
    async with open_net(access=ATTACHED) as net:
        code, out, _ = await net.curl("--http2", "-w", " %{http_version}", "https://allowed.test/")
        assert (code, out) == (0, "hello 1.1")


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"TRACE / HTTP/1.1\r\nHost: allowed.test\r\n\r\n", b"405"),
        (b"GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n", b"400"),
        (b"GET https://evil.test/ HTTP/1.1\r\nHost: allowed.test\r\n\r\n", b"400"),
        (b"CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n", b"405"),
        (b"POST / HTTP/1.1\r\nHost: allowed.test\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
    ],
    ids=["trace", "other host", "absolute url", "connect", "smuggling"],
)
async def test_what_would_carry_the_header_elsewhere_is_refused(open_net: OpenNet, head: bytes, status: bytes) -> None:
    async with open_net(access=ATTACHED) as net, net.tunnel("allowed.test:443") as (reader, writer):
        await writer.start_tls(ssl.create_default_context(cafile=net.bundle), server_hostname="allowed.test")
        writer.write(head)
        assert (await reader.readline()).split(b" ")[1] == status
        assert net.https.seen == []


async def test_server_with_an_untrusted_certificate_gets_nothing(open_net: OpenNet) -> None:
    access = BoxAccess(NetworkPolicy(), AttachedHeaders({"other.test": {"X-Key": SECRET}}))
    outside = Outside({"other.test": [ADDRESS]})  # whose server only has a certificate for allowed.test
    async with open_net(access=access, outside=outside) as net:
        code, out, _ = await net.curl("-w", "%{http_code}", "-o", "/dev/null", "https://other.test/")
        assert (code, out) == (0, "502")
        assert net.https.seen == []


async def test_box_that_does_not_trust_us_fails_by_itself(open_net: OpenNet) -> None:
    async with open_net(access=ATTACHED) as net:
        code, _, _ = await net.curl("--cacert", "/etc/ssl/certs/ca-certificates.crt", "https://allowed.test/")
        assert code == 60
        assert net.https.seen == []


async def test_bodies_pass_in_both_directions(open_net: OpenNet) -> None:
    async with open_net(access=ATTACHED) as net:
        big = b"x" * 2_000_000
        net.https.replies = [Reply(chunks=[big])]
        (net.bundle.parent / "up").write_bytes(big)
        code, out, _ = await net.curl("--data-binary", f"@{net.bundle.parent / 'up'}", "https://allowed.test/")
        assert (code, out) == (0, big.decode())
        assert net.https.seen[0].body == big


async def test_refused_host_is_not_intercepted(open_net: OpenNet) -> None:
    access = BoxAccess(NetworkPolicy(mode="deny-all"), ATTACHED.headers)
    async with open_net(access=access) as net:
        code, _, err = await net.curl("https://allowed.test/")
        assert code == 56
        assert "403" in err


async def test_many_requests_share_a_connection(open_net: OpenNet) -> None:
    async with open_net(access=ATTACHED) as net:
        code, out, _ = await net.curl("https://allowed.test/1", "https://allowed.test/2", "-w", "%{num_connects}")
        assert (code, out) == (0, "hello1hello0")


def test_most_specific_pattern_wins() -> None:
    headers = AttachedHeaders({"*.test": {"X": "wide"}, "*.a.test": {"X": "narrow"}, "b.a.test": {"X": "exact"}})
    assert [headers.for_host(host) for host in ("b.a.test", "c.a.test", "c.test", "c.example")] == [
        ((b"X", b"exact"),),
        ((b"X", b"narrow"),),
        ((b"X", b"wide"),),
        (),
    ]


@pytest.mark.parametrize(
    "name",
    ["Host", "content-length", "Transfer-Encoding", "Connection", "TE", "Upgrade", "Proxy-Authorization", "", "a b", "a:b", "a\r\nb"],
)
def test_header_that_frames_the_message_is_refused(name: str) -> None:
    with pytest.raises(BadHeaders):
        AttachedHeaders({"a.test": {name: "1"}})


@pytest.mark.parametrize("value", ["a\r\nb", "a\nb", "a\rb", "a\0b", "ü", "a\x7f"])
def test_value_that_breaks_the_message_is_refused_without_showing_it(value: str) -> None:
    with pytest.raises(BadHeaders) as caught:
        AttachedHeaders({"a.test": {"X": f"s3cret{value}"}})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("pattern", ["*", "10.0.0.1", "a b", "https://a.test"])
def test_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(BadHeaders):
        AttachedHeaders({pattern: {"X": "1"}})


async def test_tls_cut_within_a_request_is_no_request(open_net: OpenNet) -> None:
    async with open_net(access=ATTACHED) as own, own.tunnel("allowed.test:443") as (_, writer):
        await writer.start_tls(ssl.create_default_context(cafile=own.bundle), server_hostname="allowed.test")
        writer.write(b"POST / HTTP/1.1\r\nHost: allowed.test\r\nContent-Length: 10\r\n\r\nhalf")
        await writer.drain()
        await own.https.asked.wait()
        writer.transport.abort()
        await own.gateway.cut(BOX)
        assert own.https.seen[0].body in (b"", b"half")
