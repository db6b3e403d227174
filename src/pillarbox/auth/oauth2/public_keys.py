"""Signatures of JSON Web Tokens by public keys.  cryptography takes 8 MiB: who has no such keys does not load it.

STANDARDS
    RFC 7518 §3.3 (RSASSA-PKCS1-v1_5), §3.4 (ECDSA), §3.5 (RSASSA-PSS)
"""

from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from pillarbox.auth.oauth2.faults import InvalidToken

_HASHES: Final[dict[str, Callable[[], hashes.HashAlgorithm]]] = {
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}


def check_public(kind: str, text: bytes, digest: str, signed: bytes, signature: bytes) -> None:
    """Whether a key in PEM has signed; `kind`: RS, PS or ES.  InvalidToken."""
    algorithm = _HASHES[digest]()
    try:
        key = load_pem_public_key(text)
    except ValueError as error:
        raise InvalidToken("Cannot load key: Unknown key format") from error
    try:
        if kind == "ES" and isinstance(key, ec.EllipticCurvePublicKey):
            size = (key.curve.key_size + 7) // 8
            if len(signature) != 2 * size:
                raise InvalidSignature
            pair = (int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big"))
            key.verify(encode_dss_signature(*pair), signed, ec.ECDSA(algorithm))
        elif kind == "RS" and isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, padding.PKCS1v15(), algorithm)
        elif kind == "PS" and isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, padding.PSS(padding.MGF1(algorithm), padding.PSS.AUTO), algorithm)
        else:
            raise InvalidToken("Cannot load key: it is of another algorithm")
    except InvalidSignature:
        raise InvalidToken("Bad signature") from None
