"""HTTP as hostile programs speak it, and what servers get to see of it."""

from __future__ import annotations

import re

import pytest

from sandbox.gateway.settings import GatewaySettings, Limits
from tests.sandbox.gateway.conftest import BOX, Net, OpenNet
from tests.sandbox.gateway.outside import Reply

HEAD = b"Host: allowed.test\r\n"


async def test_host_header_must_name_the_urls_host(net: Net) -> None:
    for host in (b"evil.test", b"allowed.test:81", b"allowed.test@evil.test", b""):
        answer = await net.say(b"GET http://allowed.test/ HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 "), host
    assert net.http.seen == []


async def test_connect_and_host_header_must_agree(net: Net) -> None:
    answer = await net.say(b"CONNECT allowed.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_two_host_headers_are_refused(net: Net) -> None:
    answer = await net.say(b"GET http://allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\nHost: evil.test\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")


SMUGGLED = {
    "length and chunked": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "length with sign": b"Content-Length: +5\r\n\r\nhello",
    "length in hex": b"Content-Length: 0x5\r\n\r\nhello",
    "chunked twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked hidden": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunked not last": b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "space before colon": b"Content-Length : 5\r\n\r\nhello",
    "folded header": b"X-One: 1\r\n Transfer-Encoding: chunked\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "nul in a value": b"X-One: a\0b\r\n\r\n",
    "bare carriage return": b"X-One: a\rTransfer-Encoding: chunked\r\n\r\n",
}


@pytest.mark.parametrize("rest", SMUGGLED.values(), ids=SMUGGLED.keys())
async def test_smuggling_is_refused(net: Net, rest: bytes) -> None:
    answer = await net.say(b"POST http://allowed.test/ HTTP/1.1\r\n" + HEAD + rest)
    assert answer.split(b" ")[1] in (b"400", b"501")
    assert net.http.seen == []


async def test_chunked_body_in_http_1_0_is_refused(net: Net) -> None:
    answer = await net.say(b"POST http://allowed.test/ HTTP/1.0\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    assert b" 400 " in answer.split(b"\r\n")[0]


async def test_broken_chunk_never_becomes_a_whole_request(net: Net) -> None:
    answer = await net.say(b"POST http://allowed.test/ HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nZZ\r\n")
    assert b" 400 " in answer.split(b"\r\n")[0]


@pytest.mark.parametrize(
    "head", [b"GET /" + b"a" * 70_000, b"GET http://allowed.test/ HTTP/1.1\r\n" + b"X: " + b"a" * 70_000], ids=["line", "header"]
)
async def test_oversized_headers_are_refused(net: Net, head: bytes) -> None:
    assert (await net.say(head)).startswith(b"HTTP/1.1 431 ")


async def test_complete_oversized_headers_are_refused(net: Net) -> None:
    many = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 100) for number in range(640))
    assert (await net.say(b"GET http://allowed.test/ HTTP/1.1\r\n" + HEAD + many + b"\r\n")).startswith(b"HTTP/1.1 431 ")


async def test_slow_headers_are_refused(open_net: OpenNet) -> None:
    async with open_net(settings=GatewaySettings(limits=Limits(header_s=0.05))) as net, net.client() as (reader, writer):
        writer.write(b"GET http://allowed.test/ HTTP/1.1\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 408 ")


async def test_silent_connection_is_ended(open_net: OpenNet) -> None:
    async with open_net(settings=GatewaySettings(limits=Limits(idle_s=0.05))) as net, net.client() as (reader, _):
        assert await reader.read() == b""


async def test_silent_server_is_a_gateway_timeout(open_net: OpenNet) -> None:
    async with open_net(settings=GatewaySettings(limits=Limits(idle_s=0.6))) as net:
        net.http.replies = [Reply(chunks=[b"begun"], ending="stall")]
        answer = await net.say(b"GET http://allowed.test/ HTTP/1.1\r\n" + HEAD + b"\r\n")
        assert answer.endswith(b"begun\r\n")
        assert net.gateway.decisions(BOX)[-1].outcome == "failed"


async def test_cut_answer_does_not_look_whole(net: Net) -> None:
    net.http.replies = [Reply(chunks=[b"half"], ending="cut")]
    code, out, _ = await net.curl("http://allowed.test/")
    assert (code, out) == (18, "half")


@pytest.mark.parametrize("method", ["TRACE", "trace", "Trace"])
async def test_trace_is_refused(net: Net, method: str) -> None:
    assert (await net.say(f"{method} http://allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\n\r\n".encode())).startswith(b"HTTP/1.1 405 ")
    assert net.http.seen == []


async def test_hop_by_hop_headers_end_here(net: Net) -> None:
    hop = b"Connection: close, X-Mine\r\nX-Mine: 1\r\nProxy-Authorization: Basic eA==\r\n"
    hop += b"Proxy-Connection: close\r\nTE: trailers\r\nUpgrade: h2c\r\n"
    await net.say(b"GET http://allowed.test/a?b=c HTTP/1.1\r\n" + HEAD + b"X-Kept: 2\r\n" + hop + b"\r\n")
    (seen,) = net.http.seen
    assert (seen.method, seen.target) == ("GET", "/a?b=c")
    assert sorted(seen.headers) == [("connection", "close"), ("host", "allowed.test"), ("x-kept", "2")]


async def test_bodies_and_answers_pass_unchanged(net: Net) -> None:
    body = bytes(range(256)) * 4000
    net.http.replies = [Reply(201, [body[:1], body[1:]], [("x-answer", "1")])]
    code, out, _ = await net.curl(
        "--data-binary",
        "a=b",
        "-H",
        "Expect: 100-continue",
        "-o",
        str(net.bundle.parent / "out"),
        "-w",
        "%{http_code}",
        "http://allowed.test/",
    )
    assert (code, out) == (0, "201")
    assert (net.bundle.parent / "out").read_bytes() == body
    assert net.http.seen[0].body == b"a=b"


async def test_chunked_upload_stays_chunked(net: Net) -> None:
    await net.say(b"POST http://allowed.test/ HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n")
    assert net.http.seen[0].body == b"hello!"
    assert net.http.seen[0].header("transfer-encoding") == "chunked"


async def test_connection_serves_many_requests(net: Net) -> None:
    request = b"GET http://allowed.test/ HTTP/1.1\r\n" + HEAD + b"\r\n"
    refused = b"GET http://10.0.0.1/ HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n"
    answers = await net.say(request + refused + request)
    assert re.findall(rb"HTTP/1\.1 (\d+)", answers) == [b"200", b"403", b"200"]


@pytest.mark.parametrize("request_line", [b"GET https://allowed.test/", b"GET ftp://allowed.test/", b"GET allowed.test", b"OPTIONS *"])
async def test_other_request_targets_are_refused(net: Net, request_line: bytes) -> None:
    assert (await net.say(request_line + b" HTTP/1.1\r\n" + HEAD + b"\r\n")).startswith(b"HTTP/1.1 400 ")


async def test_answer_to_head_has_no_body(net: Net) -> None:
    code, out, _ = await net.curl("-I", "http://allowed.test/")
    assert (code, out.split()[1]) == (0, "200")
    code, out, _ = await net.curl("-I", "http://10.0.0.1/")
    assert (code, out.split()[1]) == (0, "403")


async def test_body_that_pauses_too_long_never_becomes_a_request(open_net: OpenNet) -> None:
    async with open_net(settings=GatewaySettings(limits=Limits(idle_s=0.1))) as net, net.client() as (reader, writer):
        writer.write(b"POST http://allowed.test/ HTTP/1.1\r\n" + HEAD + b"Content-Length: 10\r\n\r\nhalf")
        assert (await reader.readline()).split(b" ")[1] in (b"408", b"504")


async def test_refused_upload_leaves_the_connection_usable(net: Net) -> None:
    refused = b"POST http://10.0.0.1/ HTTP/1.1\r\nHost: 10.0.0.1\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100_000
    answers = await net.say(refused + b"GET http://allowed.test/ HTTP/1.1\r\n" + HEAD + b"\r\n")
    assert re.findall(rb"HTTP/1\.1 (\d+)", answers) == [b"403", b"200"]


async def test_query_is_not_logged(net: Net) -> None:
    await net.say(b"GET http://allowed.test/path?token=secret HTTP/1.1\r\n" + HEAD + b"\r\n")
    assert "secret" not in repr(net.gateway.decisions(BOX))
    assert "path" not in repr(net.gateway.decisions(BOX))
