"""Passwords and how they are stored: `{SCHEME}text`.

DESCRIPTION
    `verify()` checks a password against a stored one of any scheme listed in `SCHEMES`; `make()` makes a stored
    password (ARGON2ID).  A stored password without a scheme is CRYPT.  `.HEX`, `.B64` and `.BASE64` behind a
    scheme's name say how a digest is written.

    All comparisons take constant time.  Slow schemes (ARGON2ID, BLF-CRYPT, SHA512-CRYPT) release the interpreter
    lock and belong in a worker thread.

FAULTS
    UnknownScheme  the stored password is of a scheme that is not served: a configuration mistake, for the log

STANDARDS
    Dovecot 2.3 Authentication.PasswordSchemes; RFC 9106 (Argon2); crypt(5)
"""

import base64
import binascii
import ctypes
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Final

import argon2
import bcrypt

from pillarbox.vocabulary.digits import decimal
from pillarbox.vocabulary.secret import Secret
from pillarbox.wire.sasl import scram_keys


class UnknownScheme(Exception):
    """No such scheme."""


_STORED: Final = re.compile(rb"\{([A-Za-z0-9-]+)(?:\.([A-Za-z0-9]+))?\}(.*)", re.DOTALL)
# OWASP's second choice: 19 MiB, two passes; about 20 ms, so that logins stay quick.
_ARGON2: Final = argon2.PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
_BCRYPT_OCTETS: Final = 72


def verify(password: bytes, stored: bytes) -> bool:
    """Whether the password is the stored one.  An empty stored password matches nothing."""
    match = _STORED.fullmatch(stored)
    scheme, encoding, text = (
        (match[1].upper(), (match[2] or b"").upper(), match[3])
        if match is not None
        else (b"CRYPT", b"", stored)
    )
    checker = SCHEMES.get(scheme)
    if checker is None:
        raise UnknownScheme(scheme.decode("ascii"))
    if not text:
        return False
    if encoding == b"HEX":
        text = base64.b64encode(_unhex(text))
    return checker(password, text)


def make(password: Secret) -> str:
    """A stored password for a new user."""
    return "{ARGON2ID}" + _ARGON2.hash(password.reveal())


def _plain(password: bytes, text: bytes) -> bool:
    return hmac.compare_digest(password, text)


def _crypt(password: bytes, text: bytes) -> bool:
    if text.startswith((b"$2a$", b"$2b$", b"$2y$")):
        try:
            return bcrypt.checkpw(password[:_BCRYPT_OCTETS], text)
        except ValueError:
            return False
    if text.startswith(b"$argon2"):
        return _argon2(password, text)
    hashed = crypt(password, text)
    return hashed is not None and hmac.compare_digest(hashed, text)


def _argon2(password: bytes, text: bytes) -> bool:
    try:
        return _ARGON2.verify(text, password)
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False


class _CryptData(ctypes.Structure):
    """struct crypt_data of libxcrypt: 32 KiB."""

    _fields_ = (("data", ctypes.c_char * 32768),)


def _load_crypt() -> Callable[[bytes, bytes], bytes | None] | None:
    try:
        function = ctypes.CDLL("libcrypt.so.1").crypt_r
    except (OSError, AttributeError):
        return None
    function.restype = ctypes.c_char_p
    function.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)

    def call(password: bytes, setting: bytes) -> bytes | None:
        if b"\0" in password:
            return None
        data = _CryptData()
        result: bytes | None = function(password, setting, ctypes.byref(data))
        return None if result is None or result.startswith(b"*") else result

    return call


_LOADED_CRYPT: Final = _load_crypt()


def crypt(password: bytes, setting: bytes) -> bytes | None:
    """crypt(3): the hash; None if the setting is none of its.  UnknownScheme without libcrypt."""
    if _LOADED_CRYPT is None:
        raise UnknownScheme("CRYPT needs libcrypt.so.1")
    return _LOADED_CRYPT(password, setting)


def _digest(name: str, *, salted: bool) -> Callable[[bytes, bytes], bool]:
    size = hashlib.new(name, usedforsecurity=False).digest_size

    def check(password: bytes, text: bytes) -> bool:
        stored = _undo(text, size)
        digest, salt = stored[:size], stored[size:]
        if len(digest) < size or bool(salt) is not salted:
            return False
        return hmac.compare_digest(hashlib.new(name, password + salt, usedforsecurity=False).digest(), digest)

    return check


def _undo(text: bytes, size: int) -> bytes:
    """A digest from hexadecimal, if it has the length for that, or from base64."""
    if len(text) == size * 2:
        return _unhex(text)
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""


def _unhex(text: bytes) -> bytes:
    try:
        return binascii.unhexlify(text)
    except binascii.Error:
        return b""


def _pbkdf2(password: bytes, text: bytes) -> bool:
    """`$1$salt$rounds$hexadecimal`: PBKDF2 with SHA-1."""
    parts = text.split(b"$")
    if len(parts) != 5 or parts[1] != b"1":
        return False
    try:
        rounds = decimal(parts[3], max_digits=7)
        digest = hashlib.pbkdf2_hmac("sha1", password, parts[2], rounds)
    except (ValueError, OverflowError):
        return False
    return hmac.compare_digest(digest.hex().encode(), parts[4])


def _scram(digest: str) -> Callable[[bytes, bytes], bool]:
    """`iterations,salt,StoredKey,ServerKey`, asked with the password itself."""

    def check(password: bytes, text: bytes) -> bool:
        parts = text.split(b",")
        if len(parts) != 4:
            return False
        try:
            iterations = decimal(parts[0], max_digits=6)
            salted = hashlib.pbkdf2_hmac(digest, password, base64.b64decode(parts[1]), iterations)
        except ValueError:
            return False
        return hmac.compare_digest(base64.b64encode(scram_keys(digest, salted)[0]), parts[2])

    return check


SCHEMES: Final[dict[bytes, Callable[[bytes, bytes], bool]]] = {
    b"PLAIN": _plain,
    b"CLEAR": _plain,
    b"CLEARTEXT": _plain,
    b"CRYPT": _crypt,
    b"BLF-CRYPT": _crypt,
    b"SHA256-CRYPT": _crypt,
    b"SHA512-CRYPT": _crypt,
    b"MD5-CRYPT": _crypt,
    b"DES-CRYPT": _crypt,
    b"ARGON2I": _argon2,
    b"ARGON2ID": _argon2,
    b"SHA": _digest("sha1", salted=False),
    b"SHA1": _digest("sha1", salted=False),
    b"SHA256": _digest("sha256", salted=False),
    b"SHA512": _digest("sha512", salted=False),
    b"SSHA": _digest("sha1", salted=True),
    b"SSHA256": _digest("sha256", salted=True),
    b"SSHA512": _digest("sha512", salted=True),
    b"PLAIN-MD5": _digest("md5", salted=False),
    b"LDAP-MD5": _digest("md5", salted=False),
    b"PBKDF2": _pbkdf2,
    b"SCRAM-SHA-1": _scram("sha1"),
    b"SCRAM-SHA-256": _scram("sha256"),
    b"SMD5": _digest("md5", salted=True),
}
"""What can be checked, by upper-case name."""
