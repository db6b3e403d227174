"""Certificates of TLS clients: asked for, looked at, and never a reason to end the handshake.

DESCRIPTION
    A client may have a certificate that nobody has signed whom we know, and be welcome by its fingerprint.
    Python's ssl module can only refuse such a client in the handshake; OpenSSL can go on, and keep what it found.
    `ask_for_certificates()` tells it to, by the C function for that purpose; `certificate_of()` gives the
    certificate of a finished handshake, and whether the chain was verified; `shown_by()` tells the latter and the
    names of its subject, without what reads all of a certificate.

    A session that is resumed (`may_resume`) has the certificate of the one before, verified or not as it was then.

FAULTS
    ConfigurationFault  this Python does not give access to OpenSSL's functions, or a CA file cannot be loaded

STANDARDS
    RFC 8446 §4.3.2 (CertificateRequest); OpenSSL SSL_CTX_set_cert_verify_callback(3),
    X509_VERIFY_PARAM_set_flags(3) (revocation lists)
"""

import ctypes
import hashlib
import importlib
import ssl
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec

from pillarbox.net.openssl import context_address, is_chain_good, open_library
from pillarbox.vocabulary.faults import ConfigurationFault

if TYPE_CHECKING:
    from cryptography import x509

_FUNCTIONS: Final = {
    "SSL_CTX_set_cert_verify_callback": (None, (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)),
    "SSL_CTX_set_verify_depth": (None, (ctypes.c_void_p, ctypes.c_int)),
    "SSL_CTX_get_verify_mode": (ctypes.c_int, (ctypes.c_void_p,)),
    "SSL_CTX_set_client_CA_list": (None, (ctypes.c_void_p, ctypes.c_void_p)),
    "SSL_load_client_CA_file": (ctypes.c_void_p, (ctypes.c_char_p,)),
    "X509_verify_cert": (ctypes.c_int, (ctypes.c_void_p,)),
}


class ClientCertificate(msgspec.Struct, frozen=True):
    """What a client showed."""

    subject: str  # the common name; empty if there is none
    issuer: str  # the common name, or else the organization
    fingerprint: str  # AB:CD:…
    key_fingerprint: str  # of the public key
    is_trusted: bool  # signed by an authority of smtpd_tls_CAfile or smtpd_tls_CApath


class Shown(msgspec.Struct, frozen=True):
    """A certificate of a client, as far as a login needs it."""

    is_trusted: bool
    subject: tuple[tuple[str, str], ...]  # long names of OpenSSL's, and what stands there

    def field(self, name: str) -> str:
        """The first of the subject's fields of that name; empty if there is none, or one with a NUL in it."""
        found = next((value for known, value in self.subject if known == name), "")
        return "" if "\0" in found else found


def long_name(name: str) -> str | None:
    """What OpenSSL calls a field of a subject: `CN`, `2.5.4.3` → `commonName`; None: it knows no such field."""
    import _ssl

    try:
        return str(_ssl.txt2obj(name, name=True)[2])
    except ValueError:
        return None


def load_reader() -> None:
    """Load what `certificate_of` needs, while the role may still read what it likes."""
    importlib.import_module(_READER)


def ask_for_certificates(
    context: ssl.SSLContext,
    *,
    ca_file: str,
    ca_path: str = "",
    depth: int | None = None,
    needs_revocations: bool = False,
    may_resume: bool = False,
    where: str,
) -> None:
    """Have each client asked for a certificate; whatever it shows, the handshake goes on.

    With `needs_revocations` a certificate is verified only if the CA file has its issuer's list of those revoked.
    """
    library = _library()
    if library is None:
        raise ConfigurationFault(
            where,
            "client certificates cannot be asked for: this Python hides its OpenSSL",
            mend="use a Python whose ssl module is linked with the system's OpenSSL",
        )
    try:
        if ca_file or ca_path:
            context.load_verify_locations(ca_file or None, ca_path or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationFault(where, f"cannot load {ca_file or ca_path}: {error}") from error
    address = context_address(context)
    context.verify_mode = ssl.CERT_OPTIONAL
    if library.SSL_CTX_get_verify_mode(address) != 1:  # SSL_VERIFY_PEER
        raise ConfigurationFault(where, "client certificates cannot be asked for with this Python")
    if not may_resume:
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    if depth is not None:
        library.SSL_CTX_set_verify_depth(address, depth + 1)
    if needs_revocations:
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    library.SSL_CTX_set_cert_verify_callback(address, _VERIFY, None)
    if ca_file and (names := library.SSL_load_client_CA_file(ca_file.encode())):
        library.SSL_CTX_set_client_CA_list(address, names)


def certificate_of(tls: ssl.SSLObject, *, digest: str) -> ClientCertificate | None:
    """The client's certificate; None if it showed none, or one that cannot be read."""
    encoded = tls.getpeercert(binary_form=True)
    if not encoded:
        return None
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    try:
        certificate = x509.load_der_x509_certificate(encoded)
        key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        subject = _name(certificate.subject, x509.NameOID.COMMON_NAME)
        issuer = _name(certificate.issuer, x509.NameOID.COMMON_NAME)
        issuer = issuer or _name(certificate.issuer, x509.NameOID.ORGANIZATION_NAME)
    except ValueError:
        return None
    return ClientCertificate(
        subject,
        issuer,
        _fingerprint(encoded, digest),
        _fingerprint(key, digest),
        is_chain_good(tls),
    )


def shown_by(tls: ssl.SSLObject) -> Shown | None:
    """What a client showed; None: nothing, or what cannot be read."""
    try:
        found = tls.getpeercert()
    except (ValueError, OSError):  # ssl.SSLError, for what OpenSSL cannot decode, is an OSError
        return None
    if not found:
        return None
    subject = cast("tuple[tuple[tuple[str, str], ...], ...]", found.get("subject", ()))
    names = tuple((name, value) for parts in subject for name, value in parts)
    return Shown(is_chain_good(tls), names)


def issuer_of(tls: ssl.SSLObject) -> str:
    """Who signed a client's certificate, as X509_NAME_oneline(3) has it: `/O=Example/CN=ca`; empty: unknown."""
    try:
        found = tls.getpeercert() or {}
    except (ValueError, OSError):
        return ""
    issuer = cast("tuple[tuple[tuple[str, str], ...], ...]", found.get("issuer", ()))
    return "".join(f"/{_short_name(name)}={value}" for parts in issuer for name, value in parts)


def _short_name(name: str) -> str:
    import _ssl

    try:
        return str(_ssl.txt2obj(name, name=True)[1])
    except ValueError:
        return name


def known_digest(name: str) -> bool:
    """Whether fingerprints can be made by it."""
    return name.lower() in hashlib.algorithms_available


def _name(name: "x509.Name", oid: "x509.ObjectIdentifier") -> str:
    found = name.get_attributes_for_oid(oid)
    return str(found[-1].value) if found else ""


def _fingerprint(data: bytes, digest: str) -> str:
    made = hashlib.new(digest, data, usedforsecurity=False)
    return ":".join(f"{octet:02X}" for octet in made.digest())


# -- OpenSSL -----------------------------------------------------------------------------------------------

_READER: Final = "cryptography.x509"
"""What reads certificates takes 4 MiB, and few servers ask for any."""


@cache
def _library() -> Any:  # noqa: ANN401 - ctypes gives libraries no better type
    """The library that the ssl module itself has loaded; None if its functions cannot be reached."""
    return open_library(_FUNCTIONS)


def _verify(store: int, _argument: int | None) -> int:
    """OpenSSL's own verification, whose result it keeps at the session; the handshake goes on."""
    _library().X509_verify_cert(store)
    return 1


_CALLBACK: Final = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(_verify)
_VERIFY: Final = ctypes.cast(_CALLBACK, ctypes.c_void_p)
