"""Passwords and how they are stored: `{SCHEME}text`.

DESCRIPTION
    `verify()` checks a password against a stored one of any scheme listed in `SCHEMES`; `make()` makes a stored
    password (ARGON2ID).  A stored password without a scheme is CRYPT.  `.HEX`, `.B64` and `.BASE64` behind a
    scheme's name say how the text is written.  A digest without them may be hexadecimal or base64.

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
from typing import Final, NamedTuple

import argon2
import bcrypt

from pillarbox.auth import one_time_passwords
from pillarbox.vocabulary.digits import decimal
from pillarbox.vocabulary.old_digests import hmac_md5_contexts, md4
from pillarbox.vocabulary.secret import Secret
from pillarbox.wire.sasl.scram import scram_keys


class UnknownScheme(Exception):
    """No such scheme."""


_STORED: Final = re.compile(rb"\{([A-Za-z0-9-]+)(?:\.([A-Za-z0-9]+))?\}(.*)", re.DOTALL)
# OWASP's second choice: 19 MiB, two passes; about 20 ms, so that logins stay quick.
_ARGON2: Final = argon2.PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
_BCRYPT_OCTETS: Final = 72
_MD5_OCTETS: Final = 16
_ENCODINGS: Final = (b"", b"HEX", b"B64", b"BASE64")


def verify(password: bytes, stored: bytes, *, user: bytes = b"") -> bool:
    """Whether the password is the stored one.  An empty stored password matches nothing.

    `user` is who has it: {DIGEST-MD5} is of his name, too.
    """
    match = _STORED.fullmatch(stored)
    name, encoding, text = (
        (match[1].upper(), (match[2] or b"").upper(), match[3])
        if match is not None
        else (b"CRYPT", b"", stored)
    )
    scheme = SCHEMES.get(name)
    if scheme is None or encoding not in _ENCODINGS:
        raise UnknownScheme((name + b"." + encoding if encoding else name).decode("ascii"))
    if encoding == b"HEX":
        text = _unhex(text)
    elif encoding:
        text = _unbase64(text)
    elif scheme.size:
        text = _unhex(text) if len(text) == scheme.size * 2 else _unbase64(text)
    if not text or b"\0" in password:  # HMAC would take `secret` and `secret\0` for the same
        return False
    return scheme.check(digest_md5_input(user, password) if name == b"DIGEST-MD5" else password, text)


def digest_md5_input(user: bytes, password: bytes) -> bytes:
    """`user:realm:password`, of which {DIGEST-MD5} is the digest (RFC 2831 §2.1.2.1)."""
    name, at, realm = user.rpartition(b"@")
    return b"%b:%b:%b" % ((name, realm, password) if at else (user, b"", password))


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


def _digest(name: str, *, salted: bool = False) -> Callable[[bytes, bytes], bool]:
    size = hashlib.new(name, usedforsecurity=False).digest_size

    def check(password: bytes, stored: bytes) -> bool:
        digest, salt = stored[:size], stored[size:]
        if len(digest) < size or bool(salt) is not salted:
            return False
        return hmac.compare_digest(hashlib.new(name, password + salt, usedforsecurity=False).digest(), digest)

    return check


def _unhex(text: bytes) -> bytes:
    try:
        return binascii.unhexlify(text)
    except binascii.Error:
        return b""


def _unbase64(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""


def _md5(password: bytes, text: bytes) -> bool:
    """{MD5}: of crypt(3), or a bare digest."""
    if text.startswith(b"$1$"):
        return _crypt(password, text)
    digest = _unhex(text) if len(text) == _MD5_OCTETS * 2 else _unbase64(text)
    return _digest("md5")(password, digest)


def _md4(password: bytes, digest: bytes) -> bool:
    return hmac.compare_digest(md4(password), digest)


def _cram_md5(password: bytes, contexts: bytes) -> bool:
    return hmac.compare_digest(hmac_md5_contexts(password), contexts)


def _plain_truncated(password: bytes, text: bytes) -> bool:
    """`4-secr`: of a longer password only so many octets are looked at."""
    length, hyphen, start = text.partition(b"-")
    if not hyphen or not start or not length.isdigit():
        return False
    octets = decimal(length, max_digits=4) if len(length) <= 4 else len(password)
    return hmac.compare_digest(password, start) | hmac.compare_digest(password[:octets], start)


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
    return hmac.compare_digest(digest.hex().encode(), parts[4].lower())


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


class _Scheme(NamedTuple):
    check: Callable[[bytes, bytes], bool]
    """Whether a password is the one that a text stands for."""
    size: int = 0
    """Octets of the digest that the text is; 0 if it is none."""


SCHEMES: Final[dict[bytes, _Scheme]] = {
    **dict.fromkeys((b"PLAIN", b"CLEAR", b"CLEARTEXT"), _Scheme(_plain)),
    b"PLAIN-TRUNC": _Scheme(_plain_truncated),
    **dict.fromkeys(
        (b"CRYPT", b"BLF-CRYPT", b"SHA256-CRYPT", b"SHA512-CRYPT", b"MD5-CRYPT", b"DES-CRYPT"),
        _Scheme(_crypt),
    ),
    **dict.fromkeys((b"ARGON2I", b"ARGON2ID"), _Scheme(_argon2)),
    **dict.fromkeys((b"SHA", b"SHA1"), _Scheme(_digest("sha1"), 20)),
    b"SHA256": _Scheme(_digest("sha256"), 32),
    b"SHA512": _Scheme(_digest("sha512"), 64),
    b"SSHA": _Scheme(_digest("sha1", salted=True), 20),
    b"SSHA256": _Scheme(_digest("sha256", salted=True), 32),
    b"SSHA512": _Scheme(_digest("sha512", salted=True), 64),
    b"SMD5": _Scheme(_digest("md5", salted=True), _MD5_OCTETS),
    **dict.fromkeys((b"PLAIN-MD5", b"LDAP-MD5", b"DIGEST-MD5"), _Scheme(_digest("md5"), _MD5_OCTETS)),
    b"MD5": _Scheme(_md5),
    b"PLAIN-MD4": _Scheme(_md4, 16),
    b"OTP": _Scheme(one_time_passwords.is_of),
    **dict.fromkeys((b"CRAM-MD5", b"HMAC-MD5"), _Scheme(_cram_md5, 32)),
    b"PBKDF2": _Scheme(_pbkdf2),
    b"SCRAM-SHA-1": _Scheme(_scram("sha1")),
    b"SCRAM-SHA-256": _Scheme(_scram("sha256")),
}
"""What can be checked, by upper-case name."""
