"""SASL mechanisms, the server's side: challenges out, responses in, a user at the end.

DESCRIPTION
    `start()` gives a mechanism; `step(response)` gives

        Challenge     to be sent to the client
        Credentials   a user and his password, to be checked
        Vouched       TLS has to say who the client is
        WantsStored   a user whose stored password is needed: `with_stored()` goes on from there
        Proven        the user has shown that he knows the password
        Disproven     he has not

    or raises `MalformedResponse`.  The first step may have no response (None), when the client sent no initial
    one.

STANDARDS
    RFC 4616 (PLAIN); RFC 4422 Appendix A (EXTERNAL); draft-murchison-sasl-login (LOGIN); RFC 2195 (CRAM-MD5);
    RFC 5802, RFC 7677 (SCRAM)
"""

import base64
import binascii
import hashlib
import hmac
import re
from typing import Final, Protocol

import msgspec

from pillarbox.vocabulary.digits import decimal
from pillarbox.vocabulary.old_digests import CONTEXT, hmac_md5, hmac_md5_contexts
from pillarbox.vocabulary.secret import Secret

SCRAM_ITERATIONS: Final = 4096
"""RFC 7677 §4: at least 4096; for passwords that are stored in the clear."""
EMPTY_USER: Final = "Empty username"
"""Of a malformed response that is whole, but for this."""
_FIRST: Final = "Invalid initial client message"
_FINAL: Final = "Invalid final client message"


class MalformedResponse(Exception):
    """The response is not one of the mechanism; `str()` is for the log."""


class UnusableSecret(Exception):
    """What is stored for the user is of no use to the mechanism; `str()` is for the log."""


class Challenge(msgspec.Struct, frozen=True):
    """To be sent to the client, decoded."""

    data: bytes


class Credentials(msgspec.Struct, frozen=True):
    """Who the client says it is, and the proof."""

    user: bytes
    password: Secret
    authorization: bytes = b""  # on behalf of whom; empty: the user


class WantsStored(msgspec.Struct, frozen=True):
    """The mechanism cannot go on without the user's stored password."""

    user: bytes
    authorization: bytes = b""


class Vouched(msgspec.Struct, frozen=True):
    """Who the client is has been shown below: by its certificate."""

    authorization: bytes = b""  # on behalf of whom; empty: himself


class Proven(msgspec.Struct, frozen=True):
    """The client knows the password."""


class Disproven(msgspec.Struct, frozen=True):
    """It does not."""


Step = Challenge | Credentials | Vouched | WantsStored | Proven | Disproven


class Mechanism(Protocol):
    """One exchange."""

    def step(self, response: bytes | None) -> Step:
        """The next step.  MalformedResponse ends the exchange."""
        ...

    def with_stored(self, stored: bytes | None) -> Step:
        """Go on after WantsStored; None: there is no such user.  UnusableSecret."""
        ...


class _ByPassword:
    """A mechanism that shows the password."""

    def with_stored(self, stored: bytes | None) -> Step:
        """Never wanted."""
        raise AssertionError("the password itself was given")


class Plain(_ByPassword):
    """`message = [authzid] NUL authcid NUL passwd`  RFC 4616 §2"""

    def step(self, response: bytes | None) -> Step:
        """One response, after an empty challenge if it did not come at once."""
        if response is None:
            return Challenge(b"")
        parts = response.split(b"\0")
        if len(parts) != 3:
            raise MalformedResponse("invalid input")
        if not parts[1]:
            raise MalformedResponse(EMPTY_USER)
        return Credentials(parts[1], Secret(parts[2]), parts[0])


class Login(_ByPassword):
    """User name and password, each asked for.  An initial response is the user name, unless it is empty."""

    def __init__(self) -> None:
        self._user: bytes | None = None
        self._asked = False

    def step(self, response: bytes | None) -> Step:
        """Two responses."""
        if not response and not self._asked:
            self._asked = True
            return Challenge(b"Username:")
        if response is None:
            raise MalformedResponse("invalid input")
        if self._user is None:
            if not response:
                raise MalformedResponse(EMPTY_USER)
            self._asked = True
            self._user = response
            return Challenge(b"Password:")
        return Credentials(self._user, Secret(response))


class External(_ByPassword):
    """`initial-response = [ UTF8-char-no-nul ... ]`, the authorization identity.  RFC 4422 Appendix A.1"""

    def step(self, response: bytes | None) -> Step:
        """One response, after an empty challenge if it did not come at once."""
        if response is None:
            return Challenge(b"")
        if b"\0" in response:
            raise MalformedResponse("invalid input")
        return Vouched(response)


class CramMd5:
    """A challenge, answered with the user's name and an HMAC of it under the password.  RFC 2195"""

    def __init__(self, nonce: bytes, host: bytes) -> None:
        self._challenge = b"<%s@%s>" % (nonce, host)
        self._digest = b""

    def step(self, response: bytes | None) -> Step:
        """`user SP digest`, 32 hexadecimal digits."""
        if response is None:
            return Challenge(self._challenge)
        user, blank, digest = response.rpartition(b" ")
        if not blank or not user:
            raise MalformedResponse("missing digest")
        self._digest = digest
        return WantsStored(user)

    def with_stored(self, stored: bytes | None) -> Step:
        """The password has to be stored in the clear, or as the contexts of its HMAC-MD5."""
        contexts = None if stored is None else _contexts(stored)
        if stored is not None and contexts is None:
            raise UnusableSecret("CRAM-MD5 needs a password that is stored as {PLAIN} or {CRAM-MD5}")
        expected = hmac_md5(contexts or bytes(2 * CONTEXT), self._challenge).hex().encode()
        right = hmac.compare_digest(expected, self._digest) and contexts is not None
        return Proven() if right else Disproven()


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
        password = b"" if stored is None else _clear(stored)
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


def _clear(stored: bytes) -> bytes | None:
    """The password, if it is stored in the clear."""
    for prefix in (b"{PLAIN}", b"{CLEAR}", b"{CLEARTEXT}"):
        if stored.upper().startswith(prefix):
            return stored[len(prefix) :]
    return None


def _contexts(stored: bytes) -> bytes | None:
    """What HMAC-MD5 makes of the password, if that is stored so or in the clear."""
    for prefix in (b"{CRAM-MD5}", b"{HMAC-MD5}"):
        if stored.upper().startswith(prefix):
            text = stored[len(prefix) :]
            return binascii.unhexlify(text) if re.fullmatch(rb"[0-9A-Fa-f]{64}", text) else None
    clear = _clear(stored)
    return None if clear is None else hmac_md5_contexts(clear)


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


MECHANISMS: Final = (b"PLAIN", b"LOGIN", b"CRAM-MD5", b"SCRAM-SHA-1", b"SCRAM-SHA-256", b"EXTERNAL")
"""In the order in which they are offered."""

USUAL_MECHANISMS: Final = MECHANISMS[:2]
"""What is offered while the authentication server cannot be asked."""

SECURITY: Final = {
    b"PLAIN": (b"plaintext",),
    b"LOGIN": (b"plaintext",),
    b"CRAM-MD5": (b"dictionary", b"active"),
    b"SCRAM-SHA-1": (b"mutual-auth",),
    b"SCRAM-SHA-256": (b"mutual-auth",),
    b"EXTERNAL": (),
}
"""What the auth protocol says of each."""


def start(name: bytes, *, nonce: bytes = b"nonce", host: bytes = b"localhost") -> Mechanism:
    """A fresh exchange; `nonce` is printable, new each time.  KeyError for a mechanism that is not served."""
    match name:
        case b"PLAIN":
            return Plain()
        case b"LOGIN":
            return Login()
        case b"CRAM-MD5":
            return CramMd5(nonce, host)
        case b"SCRAM-SHA-1":
            return Scram("sha1", b"SCRAM-SHA-1", nonce)
        case b"SCRAM-SHA-256":
            return Scram("sha256", b"SCRAM-SHA-256", nonce)
        case b"EXTERNAL":
            return External()
    raise KeyError(name)
