"""The host's own certificate authority."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509

from sandbox.gateway.authority import Authority, trust_env


def test_key_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    Authority(tmp_path / "gateway")
    assert stat.S_IMODE((tmp_path / "gateway" / "authority.pem").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "gateway").iterdir()] == ["authority.pem"]


def test_authority_outlives_its_process(tmp_path: Path) -> None:
    assert Authority(tmp_path).certificate == Authority(tmp_path).certificate
    assert Authority(tmp_path).certificate != Authority(tmp_path / "other").certificate


def test_bundle_holds_the_systems_authorities_and_ours_but_no_key(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    path = authority.ca_bundle(tmp_path / "bundle.pem")
    text = path.read_text()
    assert text.count("BEGIN CERTIFICATE") > 10
    assert text.endswith(authority.certificate)
    assert "PRIVATE KEY" not in text
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    ssl.create_default_context(cafile=str(path))


def test_programs_are_told_of_the_bundle() -> None:
    assert trust_env(Path("/etc/box/ca.pem"))["NODE_EXTRA_CA_CERTS"] == "/etc/box/ca.pem"
    assert {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"} <= trust_env(Path("x")).keys()


def test_certificates_are_made_once_per_host_and_not_kept_for_ever(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    first = authority.context_for("a.test")
    assert authority.context_for("a.test") is first
    for number in range(256):
        authority.context_for(f"{number}.test")
    assert authority.context_for("a.test") is not first


def test_authority_cannot_make_further_authorities(tmp_path: Path) -> None:
    certificate = x509.load_pem_x509_certificate(Authority(tmp_path).certificate.encode())
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0


@pytest.mark.parametrize("host", ["a.test", "a" * 63 + "." + "b" * 63 + ".test"], ids=["short", "longer than a common name"])
def test_certificate_is_valid_for_its_host_only(tmp_path: Path, host: str) -> None:
    authority = Authority(tmp_path)
    for asked, trusted in ((host, True), (f"x.{host}", False)):
        server = authority.context_for(host)
        client = ssl.create_default_context(cadata=authority.certificate)
        assert _agree(client, server, asked) is trusted


def _agree(client_context: ssl.SSLContext, server_context: ssl.SSLContext, host: str) -> bool:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=host)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(5):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError:
                return False
    return True
