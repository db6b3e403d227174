"""Certificates for tests: authorities, and names that they sign."""

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

NOW: Final = datetime.datetime.now(datetime.UTC)


def issue(
    directory: Path,
    name: str,
    *,
    signer: str = "",
    rsa_bits: int = 0,
    is_authority: bool = False,
    names: Sequence[str] = (),
) -> Path:
    """NAME.pem, key and certificate, signed by the key of SIGNER.pem or its own; RSA with `rsa_bits`, or ECDSA.

    `names` are those of subjectAltName.
    """
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
    if rsa_bits:
        key = rsa.generate_private_key(public_exponent=65537, key_size=rsa_bits)
    else:
        key = ec.generate_private_key(ec.SECP256R1())
    own = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, signing_key = own, key
    if signer:
        text = (directory / f"{signer}.pem").read_bytes()
        issuer = x509.load_pem_x509_certificate(text).subject
        loaded = serialization.load_pem_private_key(text, None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey)
        signing_key = loaded
    builder = (
        x509.CertificateBuilder()
        .subject_name(own)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - datetime.timedelta(days=1))
        .not_valid_after(NOW + datetime.timedelta(days=9))
        .add_extension(x509.BasicConstraints(ca=not signer or is_authority, path_length=None), critical=True)
    )
    if names:
        alternative = x509.SubjectAlternativeName([x509.DNSName(one) for one in names])
        builder = builder.add_extension(alternative, critical=False)
    certificate = builder.sign(signing_key, hashes.SHA256())
    path = directory / f"{name}.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


def fingerprint(path: Path) -> str:
    """Of the certificate in a PEM file, as Postfix writes it."""
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    return ":".join(f"{octet:02X}" for octet in certificate.fingerprint(hashes.SHA256()))


def key_fingerprint(path: Path) -> str:
    """Of its public key."""
    key = x509.load_pem_x509_certificate(path.read_bytes()).public_key()
    digest = hashes.Hash(hashes.SHA256())
    digest.update(
        key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return ":".join(f"{octet:02X}" for octet in digest.finalize())
