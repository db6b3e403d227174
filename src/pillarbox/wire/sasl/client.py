"""SASL mechanisms, the client's side: challenges in, responses out.

DESCRIPTION
    `choose()` takes the best mechanism that a server offers and the security options allow; `respond()` gives the
    answer to a challenge.  The initial response of PLAIN and XOAUTH2 goes with the AUTH command.

    Security options are Postfix's (smtp_sasl_security_options): `noplaintext` keeps PLAIN and LOGIN away,
    `noanonymous` ANONYMOUS, which is never used anyway.  The rest asks for properties that some mechanisms lack.

FAULTS
    ValueError  a challenge that is none of the mechanism's

STANDARDS
    RFC 4616 (PLAIN); draft-murchison-sasl-login (LOGIN); RFC 2195 (CRAM-MD5); RFC 5802, 7677 (SCRAM)
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Collection, Sequence
from typing import Final, Protocol

from pillarbox.vocabulary.digits import decimal
from pillarbox.vocabulary.secret import Secret

_MAX_ITERATIONS: Final = 1_000_000


class ClientMechanism(Protocol):
    """One exchange."""

    name: bytes

    def initial(self) -> bytes | None:
        """What goes with the AUTH command; None if the server has to speak first."""
        ...

    def respond(self, challenge: bytes) -> bytes:
        """The answer.  ValueError for a challenge that makes no sense."""
        ...


class Plain:
    """RFC 4616"""

    name = b"PLAIN"

    def __init__(self, user: bytes, password: Secret) -> None:
        self._message = b"\0%s\0" % user
        self._password = password

    def initial(self) -> bytes | None:
        """All there is."""
        return self._message + self._password.reveal()

    def respond(self, challenge: bytes) -> bytes:
        """Servers that ignore the initial response ask for it."""
        return self._message + self._password.reveal()


class Login:
    """User name, then password."""

    name = b"LOGIN"

    def __init__(self, user: bytes, password: Secret) -> None:
        self._left: list[Secret] = [Secret(user), password]

    def initial(self) -> bytes | None:
        """The server asks."""
        return None

    def respond(self, challenge: bytes) -> bytes:
        """Whatever the prompts are called."""
        if not self._left:
            raise ValueError("LOGIN has two steps")
        return self._left.pop(0).reveal()


class CramMd5:
    """RFC 2195: the server's challenge, keyed with the password."""

    name = b"CRAM-MD5"

    def __init__(self, user: bytes, password: Secret) -> None:
        self._user = user
        self._password = password

    def initial(self) -> bytes | None:
        """The server asks."""
        return None

    def respond(self, challenge: bytes) -> bytes:
        """`user digest`"""
        digest = hmac.new(self._password.reveal(), challenge, hashlib.md5).hexdigest()
        return b"%s %s" % (self._user, digest.encode())


class Scram:
    """RFC 5802 without channel binding; the server proves that it knows the password, too."""

    def __init__(
        self, name: bytes, hash_name: str, user: bytes, password: Secret, *, nonce: bytes = b""
    ) -> None:
        self.name = name
        self._hash = hash_name
        self._password = password
        self._nonce = nonce or base64.b64encode(secrets.token_bytes(18))
        self._bare = b"n=%s,r=%s" % (user.replace(b"=", b"=3D").replace(b",", b"=2C"), self._nonce)
        self._signature = b""
        self._step = 0

    def initial(self) -> bytes | None:
        """`client-first-message`"""
        return b"n,," + self._bare

    def respond(self, challenge: bytes) -> bytes:
        """`client-final-message`, then nothing once the server's signature is right."""
        self._step += 1
        if self._step == 1:
            return self._final(challenge)
        if self._step > 2 or not hmac.compare_digest(challenge, b"v=" + self._signature):
            raise ValueError("the server's signature is wrong")
        return b""

    def _final(self, challenge: bytes) -> bytes:
        fields = dict(field.split(b"=", 1) for field in challenge.split(b",") if b"=" in field)
        nonce, salt = fields.get(b"r", b""), base64.b64decode(fields.get(b"s", b""), validate=True)
        iterations = decimal(fields.get(b"i", b""), max_digits=7)
        if not nonce.startswith(self._nonce) or nonce == self._nonce or not salt:
            raise ValueError("the server's nonce is not ours")
        if not 0 < iterations <= _MAX_ITERATIONS:
            raise ValueError("unreasonable iteration count")
        salted = hashlib.pbkdf2_hmac(self._hash, self._password.reveal(), salt, iterations)
        without_proof = b"c=biws,r=" + nonce
        message = b",".join((self._bare, challenge, without_proof))
        client_key = hmac.digest(salted, b"Client Key", self._hash)
        stored_key = hashlib.new(self._hash, client_key).digest()
        signature = hmac.digest(stored_key, message, self._hash)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        server_key = hmac.digest(salted, b"Server Key", self._hash)
        self._signature = base64.b64encode(hmac.digest(server_key, message, self._hash))
        return without_proof + b",p=" + base64.b64encode(proof)


_PLAINTEXT: Final = frozenset({b"PLAIN", b"LOGIN"})
_DICTIONARY: Final = frozenset({b"PLAIN", b"LOGIN", b"CRAM-MD5", b"SCRAM-SHA-1", b"SCRAM-SHA-256"})
_MUTUAL: Final = frozenset({b"SCRAM-SHA-1", b"SCRAM-SHA-256"})
_PREFERENCE: Final = (b"SCRAM-SHA-256", b"SCRAM-SHA-1", b"CRAM-MD5", b"PLAIN", b"LOGIN")

OPTIONS: Final = frozenset(
    {"noplaintext", "noactive", "nodictionary", "noanonymous", "forward_secrecy", "mutual_auth"}
)
"""Words of smtp_sasl_security_options."""


def choose(
    offered: Sequence[bytes], *, options: Collection[str], user: bytes, password: Secret
) -> ClientMechanism | None:
    """The best mechanism that both sides have and the options allow; None if there is none."""
    forbidden: set[bytes] = set()
    if "noplaintext" in options:
        forbidden |= _PLAINTEXT
    if "nodictionary" in options or "forward_secrecy" in options:
        forbidden |= _DICTIONARY
    if "mutual_auth" in options:
        forbidden |= _DICTIONARY - _MUTUAL
    if "noactive" in options:
        forbidden |= _PLAINTEXT
    for name in _PREFERENCE:
        if name in offered and name not in forbidden:
            return _start(name, user, password)
    return None


def _start(name: bytes, user: bytes, password: Secret) -> ClientMechanism:
    if name == b"PLAIN":
        return Plain(user, password)
    if name == b"LOGIN":
        return Login(user, password)
    if name == b"CRAM-MD5":
        return CramMd5(user, password)
    return Scram(name, "sha256" if name.endswith(b"256") else "sha1", user, password)
