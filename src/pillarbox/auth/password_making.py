"""Stored passwords of any scheme, for doveadm pw.

DESCRIPTION
    `make(scheme, password)` gives `{SCHEME}text`; `SCHEMES` are the names in the order in which doveadm(1)
    lists those that it shares with us.

FAULTS
    UnknownScheme  no such scheme
    ValueError  the scheme wants the user's name

STANDARDS
    Dovecot 2.3 Authentication.PasswordSchemes; doveadm-pw(1)
"""

import base64
import hashlib
import os
import secrets
from collections.abc import Callable
from typing import Final

import argon2
import bcrypt

from pillarbox.auth import one_time_passwords
from pillarbox.auth.password_schemes import UnknownScheme, crypt, digest_md5_input
from pillarbox.vocabulary.old_digests import hmac_md5_contexts, md4
from pillarbox.wire.sasl.scram import SCRAM_ITERATIONS, scram_keys

DEFAULT_SCHEME: Final = "CRYPT"
_BCRYPT_ROUNDS: Final = 5
_PBKDF2_ROUNDS: Final = 5000
_SALT_LETTERS: Final = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def make(scheme: str, password: bytes, *, rounds: int = 0, user: bytes = b"") -> str:
    """The stored password; `rounds` of a scheme that has some, 0 for its usual number; `user` is whose it is."""
    name = scheme.upper()
    base, dot, encoding = name.partition(".")
    maker = _MAKERS.get(base)
    if maker is None or (dot and encoding not in ("HEX", "B64", "BASE64")):
        raise UnknownScheme(name)
    if base == "DIGEST-MD5":
        if not user:
            raise ValueError("digest_md5_generate(): username not given")
        password = digest_md5_input(user, password)
    text = maker(password, rounds)
    if encoding:
        octets = _octets(base, text)
        text = octets.hex() if encoding == "HEX" else base64.b64encode(octets).decode()
    return f"{{{name}}}{text}"


def _octets(base: str, text: str) -> bytes:
    """What a text stands for: a digest, or itself."""
    if base in _HEXADECIMAL:
        return bytes.fromhex(text)
    return base64.b64decode(text) if base in _BASE64 else text.encode("utf-8", "surrogateescape")


def _plain(password: bytes, _rounds: int) -> str:
    return password.decode("utf-8", "surrogateescape")


def _blowfish(password: bytes, rounds: int) -> str:
    salt = bcrypt.gensalt(rounds or _BCRYPT_ROUNDS, prefix=b"2b")
    return bcrypt.hashpw(password[:72], salt).decode().replace("$2b$", "$2y$", 1)


def _by_crypt(prefix: str, salt_length: int) -> Callable[[bytes, int], str]:
    def build(password: bytes, rounds: int) -> str:
        salt = "".join(secrets.choice(_SALT_LETTERS) for _ in range(salt_length))
        middle = f"rounds={rounds}$" if rounds and prefix in ("$5$", "$6$") else ""
        hashed = crypt(password, f"{prefix}{middle}{salt}".encode())
        if hashed is None:
            raise UnknownScheme(f"libcrypt does not know {prefix or 'DES'}")
        return hashed.decode()

    return build


def _digest(name: str, *, salted: bool, hexadecimal: bool = False) -> Callable[[bytes, int], str]:
    def build(password: bytes, _rounds: int) -> str:
        salt = os.urandom(4) if salted else b""
        digest = hashlib.new(name, password + salt, usedforsecurity=False).digest()
        return digest.hex() if hexadecimal else base64.b64encode(digest + salt).decode()

    return build


def _argon2(kind: argon2.Type) -> Callable[[bytes, int], str]:
    def build(password: bytes, rounds: int) -> str:
        hasher = argon2.PasswordHasher(time_cost=rounds or 3, memory_cost=65536, parallelism=1, type=kind)
        return hasher.hash(password)

    return build


def _scram(digest: str) -> Callable[[bytes, int], str]:
    def build(password: bytes, rounds: int) -> str:
        salt = os.urandom(16)
        iterations = rounds or SCRAM_ITERATIONS
        stored, server = scram_keys(digest, hashlib.pbkdf2_hmac(digest, password, salt, iterations))
        parts = (base64.b64encode(part).decode() for part in (salt, stored, server))
        return ",".join([str(iterations), *parts])

    return build


def _pbkdf2(password: bytes, rounds: int) -> str:
    salt = "".join(secrets.choice(_SALT_LETTERS) for _ in range(16))
    count = rounds or _PBKDF2_ROUNDS
    return f"$1${salt}${count}${hashlib.pbkdf2_hmac('sha1', password, salt.encode(), count).hex()}"


def _md4(password: bytes, _rounds: int) -> str:
    return md4(password).hex()


def _one_time(password: bytes, _rounds: int) -> str:
    return one_time_passwords.made_of(password)


def _cram_md5(password: bytes, _rounds: int) -> str:
    return hmac_md5_contexts(password).hex()


_HEXADECIMAL: Final = frozenset(("PLAIN-MD4", "PLAIN-MD5", "DIGEST-MD5", "CRAM-MD5", "HMAC-MD5"))
_BASE64: Final = frozenset(
    ("SHA", "SHA1", "SHA256", "SHA512", "SSHA", "SSHA256", "SSHA512", "SMD5", "LDAP-MD5")
)
_MAKERS: Final[dict[str, Callable[[bytes, int], str]]] = {
    "SHA1": _digest("sha1", salted=False),
    "SSHA512": _digest("sha512", salted=True),
    "SCRAM-SHA-256": _scram("sha256"),
    "BLF-CRYPT": _blowfish,
    "PLAIN": _plain,
    "HMAC-MD5": _cram_md5,
    "OTP": _one_time,
    "SHA512": _digest("sha512", salted=False),
    "SHA": _digest("sha1", salted=False),
    "DES-CRYPT": _by_crypt("", 2),
    "CRYPT": _blowfish,
    "SSHA": _digest("sha1", salted=True),
    "MD5-CRYPT": _by_crypt("$1$", 8),
    "PLAIN-MD4": _md4,
    "PLAIN-MD5": _digest("md5", salted=False, hexadecimal=True),
    "SCRAM-SHA-1": _scram("sha1"),
    "SHA512-CRYPT": _by_crypt("$6$", 16),
    "CLEAR": _plain,
    "CLEARTEXT": _plain,
    "ARGON2I": _argon2(argon2.Type.I),
    "ARGON2ID": _argon2(argon2.Type.ID),
    "SSHA256": _digest("sha256", salted=True),
    "MD5": _by_crypt("$1$", 8),
    "PBKDF2": _pbkdf2,
    "SHA256": _digest("sha256", salted=False),
    "CRAM-MD5": _cram_md5,
    "SHA256-CRYPT": _by_crypt("$5$", 16),
    "SMD5": _digest("md5", salted=True),
    "DIGEST-MD5": _digest("md5", salted=False, hexadecimal=True),
    "LDAP-MD5": _digest("md5", salted=False),
}
SCHEMES: Final = tuple(_MAKERS)
"""What can be made."""
