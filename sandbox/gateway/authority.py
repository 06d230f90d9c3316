"""The certificate authority of one host, which only its boxes trust.

Hosts with attached headers are served with certificates from here. The key never leaves the data
directory, no box sees it, and nothing outside boxes should ever trust it.
"""

from __future__ import annotations

import datetime
import os
import secrets
import ssl
from collections import OrderedDict
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sandbox.errors import HostUnfit

_CA_DAYS, _LEAF_DAYS = 3650, 30
_CACHED = 256
_SYSTEM_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem")
_TRUST_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO")


class Authority:
    """Makes certificates.

    Args:
        folder: of this host's data directory, made if missing; holds `authority.pem` (key and certificate, 0600).
    """

    def __init__(self, folder: Path) -> None:
        path = folder / "authority.pem"
        if not path.exists():
            _create(path)
        pem = path.read_bytes()
        key = serialization.load_pem_private_key(pem, None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise HostUnfit(f"{path} holds another kind of key than ours; delete it, and a new one is made")
        self._key, self._certificate = key, x509.load_pem_x509_certificate(pem)
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        self._contexts: OrderedDict[str, tuple[datetime.datetime, ssl.SSLContext]] = OrderedDict()

    @property
    def certificate(self) -> str:
        """Our certificate as PEM: what boxes must trust."""
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def ca_bundle(self, path: Path) -> Path:
        """Write the system's authorities and ours to a file that boxes can mount. Raises HostUnfit where the system has none."""
        bundle = _system_bundle().read_text(encoding="utf-8", errors="replace")
        fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        fresh.write_text(f"{bundle.rstrip()}\n{self.certificate}", encoding="utf-8")
        fresh.chmod(0o644)
        fresh.replace(path)
        return path

    def context_for(self, host: str) -> ssl.SSLContext:
        """What is needed to speak for a host towards a box: HTTP/1.1 over TLS 1.2 or newer."""
        made_at, context = self._contexts.pop(host, (None, None))
        now = datetime.datetime.now(datetime.UTC)
        if context is None or made_at is None or now - made_at > datetime.timedelta(days=_LEAF_DAYS / 2):
            made_at, context = now, self._make_context(host)
        self._contexts[host] = (made_at, context)
        if len(self._contexts) > _CACHED:
            self._contexts.popitem(last=False)
        return context

    def _make_context(self, host: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        # Python reads certificates from files only; this one is in memory and has no name.
        fd = os.memfd_create("leaf", os.MFD_CLOEXEC)
        try:
            with os.fdopen(os.dup(fd), "wb") as file:
                file.write(_private_pem(self._leaf_key) + _pem(self._leaf(host)) + _pem(self._certificate))
            context.load_cert_chain(f"/proc/self/fd/{fd}")
        finally:
            os.close(fd)
        return context

    def _leaf(self, host: str) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])])
        builder = _builder(name, self._certificate.subject, self._leaf_key.public_key(), _LEAF_DAYS)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(issuer, critical=False)
            .sign(self._key, hashes.SHA256())
        )


def trust_env(path: Path) -> dict[str, str]:
    """The environment that makes programs in a box trust a bundle.

    Args:
        path: where the bundle lies in the box.
    """
    return dict.fromkeys(_TRUST_VARIABLES, str(path))


def _create(path: Path) -> None:
    """Make key and certificate. When two processes do so at once, one wins and both use that one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"box-review gateway {secrets.token_hex(4)}")])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        _builder(name, name, key.public_key(), _CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_signs_certificates(), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    fresh = path.with_name(f".{secrets.token_hex(8)}")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(_private_pem(key) + _pem(certificate))
    try:
        path.hardlink_to(fresh)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=24))  # clocks of resumed boxes may be behind
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _signs_certificates() -> x509.KeyUsage:
    others = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False)
    return x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False, **others)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _system_bundle() -> Path:
    own = ssl.get_default_verify_paths().openssl_cafile
    for candidate in (own, *_SYSTEM_BUNDLES):
        if Path(candidate).is_file():
            return Path(candidate)
    raise HostUnfit("this host has no bundle of certificate authorities, which boxes need; run: sudo apt install ca-certificates")
