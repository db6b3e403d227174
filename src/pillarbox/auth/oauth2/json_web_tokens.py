"""Tokens that say themselves whose they are: JSON Web Tokens, signed by a key that we have.

DESCRIPTION
    `claims(token, …)` gives what a token says, if its times and its issuer are right and its signature is that of
    the key `azp/alg/kid` (`default` for an azp or kid that it does not name).

    HS256 HS384 HS512   the key file holds the secret in base64
    RS… PS… ES…         the key file holds a public key in PEM

FAULTS
    InvalidToken  `str()` says why, in Dovecot's words

STANDARDS
    RFC 7519 (JWT), RFC 7515 (JWS), RFC 7518 (algorithms)
    Dovecot 2.3, passdb oauth2, local_validation_key_dict
"""

import base64
import binascii
import hmac
from datetime import UTC, datetime
from typing import Any, Final

from pillarbox.auth.oauth2.faults import InvalidToken
from pillarbox.auth.oauth2.token_server import read_object, scalar_fields
from pillarbox.config.oauth2_settings import OAuth2Settings

_DIGESTS: Final = {"256": "sha256", "384": "sha384", "512": "sha512"}


def claims(token: str, settings: OAuth2Settings, *, now: float) -> dict[str, str]:
    """What the token says; `now` in seconds since 1970.  Blocks.  InvalidToken."""
    parts = token.split(".")
    if len(parts) != 3 or not _octets(parts[0]):
        raise InvalidToken("Not a JWT token")
    header = _object(parts[0])
    algorithm, key_id = _algorithm_and_key(header)
    body = _object(parts[1])
    _check_times(scalar_fields(body), now)
    said = scalar_fields(body)
    if settings.issuers:
        if "iss" not in said:
            raise InvalidToken("Token is missing 'iss' field")
        if said["iss"] not in settings.issuers:
            raise InvalidToken(f"Issuer '{said['iss'][:128]}' is not allowed")
    place = f"{_escaped(said.get('azp', 'default'))}/{algorithm}/{key_id}"
    signed = f"{parts[0]}.{parts[1]}".encode()
    _check_signature(algorithm, settings.key_directory + place, key_id, signed, _octets(parts[2]))
    return _flattened(body)


def _object(part: str) -> dict[str, Any]:
    try:
        return read_object(_octets(part))
    except (ValueError, RecursionError) as error:
        raise InvalidToken(str(error)) from error


def _octets(part: str) -> bytes:
    """Of base64url without padding (RFC 7515 §2); nothing, if it is none."""
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars="-_", validate=True)
    except (binascii.Error, ValueError):
        return b""


def _algorithm_and_key(header: dict[str, Any]) -> tuple[str, str]:
    said = scalar_fields(header)
    if said.get("typ") != "JWT":
        raise InvalidToken("Cannot find 'typ' field")
    if "alg" not in said:
        raise InvalidToken("Cannot find 'alg' field")
    key_id = said.get("kid", "default")
    if not key_id:
        raise InvalidToken("'kid' field is empty")
    return said["alg"].upper(), _escaped(key_id)


def _escaped(name: str) -> str:
    """Part of a file's name: nothing that a token says leads elsewhere."""
    escaped = name.replace("%", "%25").replace("/", "%2f")
    if escaped in ("", ".", "..") or "\0" in escaped:
        raise InvalidToken("a name of a key cannot be one")
    return escaped


def _check_times(said: dict[str, str], now: float) -> None:
    """RFC 7519 §4.1.4 to 4.1.6."""
    if "sub" not in said:
        raise InvalidToken("Missing 'sub' field")
    if "exp" not in said:
        raise InvalidToken("Missing 'exp' field")
    expires = _moment(said, "exp")
    begins = _moment(said, "nbf") or int(now)
    issued = _moment(said, "iat") or int(now)
    if begins > now:
        raise InvalidToken("Token is not valid yet")
    if issued > now:
        raise InvalidToken("Token is issued in future")
    if expires < int(now):
        raise InvalidToken("Token has expired")
    if expires < issued or expires < begins:
        raise InvalidToken("Token time values are conflicting")


def _moment(said: dict[str, str], name: str) -> int:
    """Seconds since 1970, which may be written as a date; 0 if it is not said."""
    text = said.get(name, "0")
    if text.isascii() and text.isdecimal() and len(text) < 19:
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidToken(f"Malformed '{name}' field") from None
    seconds = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    if seconds < 0:
        raise InvalidToken(f"Malformed '{name}' field")
    return seconds


def _check_signature(algorithm: str, path: str, key_id: str, signed: bytes, signature: bytes) -> None:
    digest = _DIGESTS.get(algorithm[2:])
    if algorithm[:2] not in ("HS", "RS", "PS", "ES") or digest is None:
        what = "unsupported" if algorithm.startswith("HS") else "Unsupported"
        raise InvalidToken(f"{what} algorithm '{algorithm}'")
    try:
        with open(path, "rb") as file:
            text = file.read()
    except FileNotFoundError:
        raise InvalidToken(f"{algorithm} key '{key_id}' not found") from None
    except (OSError, ValueError) as error:
        raise InvalidToken(f"open({path}) failed: {error}") from None
    if algorithm.startswith("HS"):
        _check_secret(text, digest, signed, signature)
    else:
        from pillarbox.auth.oauth2.public_keys import check_public  # loaded at the role's start

        check_public(algorithm[:2], text, digest, signed, signature)


def _check_secret(text: bytes, digest: str, signed: bytes, signature: bytes) -> None:
    try:
        secret = base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error:
        secret = b""
    if not secret:
        raise InvalidToken("Invalid base64 encoded key")
    if not hmac.compare_digest(hmac.digest(secret, signed, digest), signature):
        raise InvalidToken("Incorrect JWT signature")


def _flattened(body: dict[str, Any]) -> dict[str, str]:
    """All fields, of objects within, too; lists of texts with tabs between them."""
    found: dict[str, str] = {}
    waiting = [body]
    while waiting:
        one = waiting.pop(0)
        found |= scalar_fields(one)
        for name, value in one.items():
            if isinstance(value, dict):
                waiting.append(value)
            elif isinstance(value, list):
                found[name] = "\t".join(word for word in value if isinstance(word, str))
    return found
