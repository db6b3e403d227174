"""SCRAM, the server's side, without channel binding.

STANDARDS
    RFC 5802, RFC 7677
"""

import base64
import binascii
import hashlib
import hmac
from typing import Final

from pillarbox.vocabulary.digits import decimal
from pillarbox.wire.sasl.steps import (
    Challenge,
    Disproven,
    MalformedResponse,
    Proven,
    Step,
    UnusableSecret,
    WantsStored,
    clear,
)

SCRAM_ITERATIONS: Final = 4096
"""RFC 7677 §4: at least 4096; for passwords that are stored in the clear."""
_FIRST: Final = "Invalid initial client message"
_FINAL: Final = "Invalid final client message"


class Scram:
    """Salted challenge and response.  RFC 5802 §3, without channel binding."""

    def __init__(self, digest: str, scheme: bytes, nonce: bytes) -> None:
        self._hash = digest
        self._scheme = scheme
        self._nonce = nonce
        self._first_bare = b""
        self._gs2 = b""
        self._server_first = b""
        self._stored_key = b""
        self._server_key = b""
        self._unknown = False
        self._proven = False

    def step(self, response: bytes | None) -> Step:
        """client-first-message, client-final-message, and an empty one after the server's proof."""
        if response is None:
            return Challenge(b"")
        if self._proven:
            if response:
                raise MalformedResponse("invalid input")
            return Proven()
        return self._final(response) if self._server_first else self._first(response)

    def _first(self, message: bytes) -> Step:
        """`gs2-header client-first-message-bare`"""
        parts = message.split(b",", 2)
        if len(parts) != 3 or parts[0] not in (b"n", b"y"):
            raise MalformedResponse(_FIRST)
        authorization = parts[1].removeprefix(b"a=") if parts[1] else b""
        attributes = parts[2].split(b",")
        if len(attributes) < 2 or attributes[0][:2] != b"n=" or attributes[1][:2] != b"r=":
            raise MalformedResponse(_FIRST)
        user, client_nonce = _saslname(attributes[0][2:]), attributes[1][2:]
        if not user or not client_nonce or len(client_nonce) > 256:
            raise MalformedResponse(_FIRST)
        self._gs2 = b"%s,%s," % (parts[0], parts[1])
        self._first_bare = parts[2]
        self._nonce = client_nonce + self._nonce
        return WantsStored(user, _saslname(authorization))

    def with_stored(self, stored: bytes | None) -> Step:
        """`server-first-message = nonce "," salt "," iteration-count`"""
        iterations, salt, self._stored_key, self._server_key = self._secret(stored)
        self._unknown = stored is None
        self._server_first = b"r=%s,s=%s,i=%d" % (self._nonce, base64.b64encode(salt), iterations)
        return Challenge(self._server_first)

    def _secret(self, stored: bytes | None) -> tuple[int, bytes, bytes, bytes]:
        """Iterations, salt, StoredKey, ServerKey; those of a user who does not exist look like any."""
        prefix = b"{%s}" % self._scheme
        if stored is not None and stored.upper().startswith(prefix):
            return _scram_secret(stored[len(prefix) :])
        password = b"" if stored is None else clear(stored)
        if password is None:
            name = self._scheme.decode()
            raise UnusableSecret(f"{name} needs a password that is stored as {{PLAIN}} or {{{name}}}")
        salt = hashlib.sha256(self._nonce).digest()[:16]
        salted = hashlib.pbkdf2_hmac(self._hash, password, salt, SCRAM_ITERATIONS)
        return SCRAM_ITERATIONS, salt, *scram_keys(self._hash, salted)

    def _final(self, message: bytes) -> Step:
        """`channel-binding "," nonce "," proof`"""
        without_proof, _, proof_text = message.rpartition(b",p=")
        attributes = without_proof.split(b",")
        if len(attributes) < 2 or attributes[0] != b"c=" + base64.b64encode(self._gs2):
            raise MalformedResponse(_FINAL)
        if not hmac.compare_digest(attributes[1], b"r=" + self._nonce):
            raise MalformedResponse(_FINAL)
        proof = _decoded(proof_text)
        auth_message = b",".join((self._first_bare, self._server_first, without_proof))
        signature = hmac.digest(self._stored_key, auth_message, self._hash)
        if len(proof) != len(signature):
            raise MalformedResponse(_FINAL)
        client_key = bytes(one ^ other for one, other in zip(proof, signature, strict=True))
        right = hmac.compare_digest(hashlib.new(self._hash, client_key).digest(), self._stored_key)
        if not right or self._unknown:
            return Disproven()
        self._proven = True
        return Challenge(b"v=" + base64.b64encode(hmac.digest(self._server_key, auth_message, self._hash)))


def scram_keys(digest: str, salted: bytes) -> tuple[bytes, bytes]:
    """StoredKey and ServerKey of a SaltedPassword.  RFC 5802 §3"""
    client_key = hmac.digest(salted, b"Client Key", digest)
    return hashlib.new(digest, client_key).digest(), hmac.digest(salted, b"Server Key", digest)


def _scram_secret(text: bytes) -> tuple[int, bytes, bytes, bytes]:
    """`iterations,salt,StoredKey,ServerKey`, as Dovecot stores them."""
    parts = text.split(b",")
    if len(parts) != 4:
        raise UnusableSecret("the stored SCRAM secret is malformed")
    try:
        iterations = decimal(parts[0], max_digits=6)
        salt, stored_key, server_key = (base64.b64decode(part, validate=True) for part in parts[1:])
    except ValueError as error:  # binascii.Error is one
        raise UnusableSecret("the stored SCRAM secret is malformed") from error
    return iterations, salt, stored_key, server_key


def _saslname(text: bytes) -> bytes:
    """`=2C` stands for a comma, `=3D` for an equals sign; nothing else may follow one."""
    name = text.replace(b"=2C", b",").replace(b"=3D", b"\0")
    if b"=" in name:
        raise MalformedResponse(_FIRST)
    return name.replace(b"\0", b"=")


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise MalformedResponse(_FINAL) from None
