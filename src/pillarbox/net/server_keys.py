"""Private keys of a mail server, and what is made of them: certificates, requests, digests for TLSA records.

DESCRIPTION
    A key is RSA or ECDSA.  Files are PEM; one with a key may hold certificates, too.  Digests are those of TLSA
    records of the form `3 1 1`: SHA2-256 over the DER form of the public key.

FAULTS
    KeyFault  there is no such key, or it cannot be made; `str()` says why

STANDARDS
    RFC 5280, RFC 2986 (requests), RFC 6698 §2.1 (TLSA)
"""

import datetime
import hashlib
import re
from collections.abc import Sequence
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
DEFAULT_BITS: Final = {"rsa": "2048", "ecdsa": "secp256r1"}
"""Algorithms, with the length or the curve that a key has if nothing else is asked for."""

_DAYS: Final = 36525
_CURVES: Final[dict[str, type[ec.EllipticCurve]]] = {
    "secp256r1": ec.SECP256R1,
    "prime256v1": ec.SECP256R1,
    "secp384r1": ec.SECP384R1,
    "secp521r1": ec.SECP521R1,
}
_PRIVATE_KEY: Final = re.compile(
    rb"-----BEGIN ((?:RSA |EC )?PRIVATE KEY)-----.+?-----END \1-----\n?", re.DOTALL
)


class KeyFault(Exception):
    """What is wrong with a key."""


def make_key(algorithm: str, bits: str) -> PrivateKey:
    """A new key, of a length (RSA) or on a curve (ECDSA)."""
    try:
        if algorithm == "rsa":
            return rsa.generate_private_key(65537, int(bits))
        return ec.generate_private_key(_CURVES[bits]())
    except ValueError as error:
        raise KeyFault(str(error)) from error
    except KeyError as error:
        raise KeyFault(f"unknown curve {bits}: one of {', '.join(_CURVES)}") from error


def read_key(path: str) -> PrivateKey:
    """The key in a file."""
    try:
        with open(path, "rb") as file:
            found = _PRIVATE_KEY.search(file.read())
        key = load_pem_private_key(found[0], None) if found is not None else None
    except (OSError, ValueError, TypeError) as error:
        raise KeyFault(str(error)) from error
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise KeyFault("no RSA or ECDSA key")
    return key


def algorithm_of(key: PrivateKey) -> str:
    """`rsa` or `ecdsa`."""
    return "rsa" if isinstance(key, rsa.RSAPrivateKey) else "ecdsa"


def key_text(key: PrivateKey) -> bytes:
    """The key as a file has it, without a password."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def make_certificate(key: PrivateKey, names: Sequence[str], *, now: datetime.datetime) -> bytes:
    """A certificate for host names that the key has signed itself, for a hundred years."""
    try:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now)
            .not_valid_after(now + datetime.timedelta(days=_DAYS))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=False)
        )
        for extension in _extensions(key, names):
            builder = builder.add_extension(extension, critical=False)
    except ValueError as error:
        raise KeyFault(str(error)) from error
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def make_request(key: PrivateKey, names: Sequence[str]) -> bytes:
    """What a certificate authority gets; the host names are alternative names, and the subject is empty."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    try:
        for extension in _extensions(key, names):
            builder = builder.add_extension(extension, critical=False)
    except ValueError as error:
        raise KeyFault(str(error)) from error
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _extensions(key: PrivateKey, names: Sequence[str]) -> tuple[x509.ExtensionType, ...]:
    return (
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
        x509.SubjectAlternativeName([x509.DNSName(name) for name in names]),
    )


def key_digest(key: PrivateKey) -> str:
    """Of a key's public half."""
    return hashlib.sha256(
        key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).hexdigest()


def certificate_digest(path: str) -> str:
    """Of the key that the first certificate in a file is for."""
    try:
        with open(path, "rb") as file:
            certificate = x509.load_pem_x509_certificate(file.read())
    except (OSError, ValueError) as error:
        raise KeyFault(str(error)) from error
    public = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(public).hexdigest()
