"""Server TLS contexts: certificate, versions, and the self-signed certificate of a first start.

FAULTS
    ConfigurationFault  a certificate or key that cannot be loaded, with the reason

STANDARDS
    RFC 8996 (TLS 1.0 and 1.1 deprecated); RFC 5280 (certificates)
"""

import datetime
import os
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pillarbox.net.tls_versions import version_range
from pillarbox.vocabulary.faults import ConfigurationFault

_YEARS: Final = 10


def server_context(certificate: str, key: str, *, where: str) -> ssl.SSLContext:
    """A context for accepting TLS 1.2 and later."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    _load(context, certificate, key, where=where)
    return context


def smtp_server_context(
    chains: Sequence[tuple[str, str]], *, protocols: str, ciphers: str, prefers_own_order: bool, where: str
) -> ssl.SSLContext:
    """The same from several pairs of certificate and key file, for RSA and ECDSA side by side.

    `protocols` as smtpd_tls_protocols has them; what is older than TLS 1.2 is never offered (RFC 8996).
    `ciphers` in OpenSSL's language; empty for its own choice.
    """
    (certificate, key), *others = chains
    context = server_context(certificate, key, where=where)
    for certificate, key in others:
        _load(context, certificate, key, where=where)
    oldest, newest = version_range(protocols)
    if newest < ssl.TLSVersion.TLSv1_2:
        raise ConfigurationFault(
            where, f'"{protocols}" leaves no TLS version from 1.2 on', mend="write >=TLSv1.2"
        )
    context.minimum_version = max(oldest, ssl.TLSVersion.TLSv1_2)
    context.maximum_version = newest
    if ciphers:
        try:
            context.set_ciphers(ciphers)
        except ssl.SSLError as error:
            raise ConfigurationFault(where, f'no cipher is left by "{ciphers}"') from error
    if prefers_own_order:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    return context


def _load(context: ssl.SSLContext, certificate: str, key: str, *, where: str) -> None:
    try:
        context.load_cert_chain(certificate, key or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationFault(
            where, f"cannot load certificate {certificate}: {error.strerror or error}"
        ) from error


def make_self_signed(directory: Path, *, host: str, now: datetime.datetime) -> tuple[Path, Path]:
    """Write an ECDSA P-256 certificate and its key for `host`; (certificate, key)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365 * _YEARS))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(host), x509.DNSName("localhost")]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_path, key_path = directory / "self-signed.pem", directory / "self-signed.key"
    _write(
        key_path,
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        0o600,
    )
    _write(certificate_path, certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    return certificate_path, key_path


def _write(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with open(descriptor, "wb") as file:
        file.write(content)
