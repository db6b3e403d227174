"""Certificates of mail servers: what can be read of them, and whether a chain leads to an authority.

DESCRIPTION
    `cryptography` does it (docs/adr/0017).  It takes 9 MiB of memory, and where mail goes out without TLS nobody
    asks for it: so those who use this module import it when they do.  Where TLS is configured, it is loaded at the
    start (configured.py).

STANDARDS
    RFC 5280; RFC 6125 §6.4.4
"""

import datetime
from collections.abc import Sequence
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.backends import default_backend
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID

from pillarbox.delivery.smtp.mismatch import DEEPEST, EXPIRED, NOT_SIGNED, NOT_YET_VALID, WRONG_NAME, Mismatch

_BACKEND: Final = default_backend()
"""Loaded now: the first signature would load it, and by then the role may not be allowed to read it."""
_UNREADABLE: Final = (ValueError, UnsupportedAlgorithm)


def is_certificate(der: bytes) -> bool:
    """Whether it is one, and of an algorithm that is known."""
    try:
        x509.load_der_x509_certificate(der)
    except _UNREADABLE:
        return False
    return True


def is_public_key(der: bytes) -> bool:
    """Whether it is one (SubjectPublicKeyInfo), and of an algorithm that is known."""
    try:
        load_der_public_key(der)
    except _UNREADABLE:
        return False
    return True


def public_key(certificate: bytes) -> bytes:
    """Its SubjectPublicKeyInfo, DER; empty if that cannot be read."""
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except _UNREADABLE:
        return b""


def alternative_names(certificate: bytes) -> list[str]:
    """DNS names of subjectAltName, as they are written; none if the certificate cannot be read."""
    try:
        return _own_names(x509.load_der_x509_certificate(certificate))
    except _UNREADABLE:
        return []


def common_names(certificate: bytes) -> list[str]:
    """Those of the subject."""
    subject = x509.load_der_x509_certificate(certificate).subject
    return [str(attribute.value) for attribute in subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]


def verify(chain: Sequence[bytes], anchor: bytes, names: Sequence[str]) -> None:
    """Whether the chain leads to the anchor, for one of the names.  Mismatch."""
    try:
        leaf, *others = (x509.load_der_x509_certificate(certificate) for certificate in chain[: DEEPEST + 1])
        store = verification.Store([x509.load_der_x509_certificate(anchor)])
    except _UNREADABLE as error:
        raise Mismatch(NOT_SIGNED) from error
    builder = (
        verification.PolicyBuilder()
        .store(store)
        .max_chain_depth(DEEPEST)
        .extension_policies(ca_policy=_OF_AUTHORITIES, ee_policy=_OF_SERVERS)
    )

    def leads_to_anchor(name: str) -> bool:
        try:
            builder.build_server_verifier(x509.DNSName(name)).verify(leaf, others)
        except (verification.VerificationError, *_UNREADABLE):
            return False
        return True

    if any(leads_to_anchor(name) for name in dict.fromkeys(names)):
        return
    now = datetime.datetime.now(datetime.UTC)
    if leaf.not_valid_after_utc < now:
        raise Mismatch(EXPIRED)
    if leaf.not_valid_before_utc > now:
        raise Mismatch(NOT_YET_VALID)
    is_elsewhere = any(leads_to_anchor(name.replace("*", "any", 1)) for name in _own_names(leaf)[:1])
    raise Mismatch(WRONG_NAME if is_elsewhere else NOT_SIGNED)


def _own_names(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return names.get_values_for_type(x509.DNSName)


def _may_sign(
    policy: verification.Policy, certificate: x509.Certificate, usage: x509.KeyUsage | None
) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("the key does not sign certificates")


def _may_serve(
    policy: verification.Policy, certificate: x509.Certificate, usage: x509.ExtendedKeyUsage | None
) -> None:
    allowed = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
    if usage is not None and not any(oid in usage for oid in allowed):
        raise ValueError("the certificate is not for servers")


# What RFC 5280 asks for, and not the rules of browsers: these authorities are those of the domain itself.
_OF_AUTHORITIES: Final = (
    verification.ExtensionPolicy.permit_all()
    .require_present(x509.BasicConstraints, verification.Criticality.AGNOSTIC, None)
    .may_be_present(x509.KeyUsage, verification.Criticality.AGNOSTIC, _may_sign)
)
_OF_SERVERS: Final = (
    verification.ExtensionPolicy.permit_all()
    .require_present(x509.SubjectAlternativeName, verification.Criticality.AGNOSTIC, None)
    .may_be_present(x509.ExtendedKeyUsage, verification.Criticality.AGNOSTIC, _may_serve)
)
