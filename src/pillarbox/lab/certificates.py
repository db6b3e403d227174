"""Certificates of the lab's hosts: a trusted authority, and all that can be wrong with a certificate.

DESCRIPTION
    Keys come from the seed, so that fingerprints and TLSA records are the same in every run.  `Authority.issue()`
    gives what a host shows; `context()` what it serves with.

STANDARDS
    RFC 5280; RFC 7671 §5 (what TLSA records hold)
"""

import datetime
import hashlib
import ssl
import warnings
from pathlib import Path
from typing import Final, Literal, get_args

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Kind = Literal[
    "good", "expired", "self-signed", "wrong name", "unknown authority", "old protocol", "no cipher"
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

_DAY: Final = datetime.timedelta(days=1)
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256


class Certificate(msgspec.Struct, frozen=True):
    """A certificate and its key, in one PEM file."""

    path: str
    der: bytes
    public_key: bytes  # DER, SubjectPublicKeyInfo

    def fingerprint(self, *, public_key: bool = False) -> str:
        """SHA-256 as smtp_tls_fingerprint_cert_match has it."""
        digest = hashlib.sha256(self.public_key if public_key else self.der).hexdigest().upper()
        return ":".join(digest[at : at + 2] for at in range(0, len(digest), 2))

    @property
    def tlsa(self) -> str:
        """DANE-EE, public key, SHA-256 (RFC 7672 §3.1)."""
        return f"3 1 1 {hashlib.sha256(self.public_key).hexdigest()}"


class Authority:
    """Issues certificates below `directory`; `path` is the trusted authority's own."""

    def __init__(self, directory: Path, *, seed: int, now: datetime.datetime) -> None:
        self._directory = directory
        self._seed = seed
        self._now = now
        self._signer = _name("Lab Authority"), self._key("authority")
        self._stranger = _name("Nobody's Authority"), self._key("stranger")
        self.path = str(directory / "authority.pem")
        own = self._sign("authority", self._signer[0], self._signer, authority=True)
        self._own = own.public_bytes(serialization.Encoding.PEM)
        Path(self.path).write_bytes(self._own)
        self.tlsa = f"2 0 1 {hashlib.sha256(own.public_bytes(serialization.Encoding.DER)).hexdigest()}"
        """DANE-TA, certificate, SHA-256."""

    def issue(self, host: str, kind: Kind = "good") -> Certificate:
        """What a host of that name shows."""
        name = "elsewhere.test" if kind == "wrong name" else host
        signer = self._signer
        if kind == "unknown authority":
            signer = self._stranger
        elif kind == "self-signed":
            signer = _name(host), self._key(host)
        certificate = self._sign(host, _name(name), signer, names=(name,), expired=kind == "expired")
        key = self._key(host)
        path = self._directory / f"{host}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
            + (self._own if signer is self._signer else b"")  # DANE-TA needs it in what the host sends
        )
        path.chmod(0o600)
        public = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return Certificate(str(path), certificate.public_bytes(serialization.Encoding.DER), public)

    def context(self, certificate: Certificate, kind: Kind) -> ssl.SSLContext:
        """What a host serves with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.path)
        if kind == "old protocol":
            # Only TLS 1.0, which OpenSSL still speaks at security level 0 (RFC 8996).
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
                context.maximum_version = ssl.TLSVersion.TLSv1
            context.set_ciphers("ALL:@SECLEVEL=0")
        elif kind == "no cipher":
            # An RSA cipher alone, and no RSA key to use it with: the handshake fails for want of a common one.
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers("AES256-GCM-SHA384")
        return context

    def _key(self, name: str) -> ec.EllipticCurvePrivateKey:
        number = int.from_bytes(hashlib.sha256(f"{self._seed}:{name}".encode()).digest(), "big")
        return ec.derive_private_key(number % (_ORDER - 1) + 1, ec.SECP256R1())

    def _sign(
        self,
        owner: str,
        subject: x509.Name,
        signer: tuple[x509.Name, ec.EllipticCurvePrivateKey],
        *,
        names: tuple[str, ...] = (),
        expired: bool = False,
        authority: bool = False,
    ) -> x509.Certificate:
        ends = self._now - _DAY if expired else self._now + 3650 * _DAY
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(signer[0])
            .public_key(self._key(owner).public_key())
            .serial_number(int.from_bytes(hashlib.sha256(owner.encode()).digest()[:8], "big") + 1)
            .not_valid_before(self._now - 30 * _DAY)
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False
            )
        return builder.sign(signer[1], hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])
