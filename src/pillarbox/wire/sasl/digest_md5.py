"""DIGEST-MD5, the server's side, for authentication only: no integrity or privacy layer (`qop=auth`).

DESCRIPTION
    The client says which realm its digest is of, and of a password that is stored in the clear ours is of the same.
    {DIGEST-MD5} is the digest of the realm that it was stored with.

    Whatever host digest-uri names is taken.  An exchange has a nonce of its own: a client that goes on with one it
    has used before (subsequent authentication, RFC 2831 §2.2) is refused.

STANDARDS
    RFC 2831 (made historic by RFC 6331)
"""

import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Final

from pillarbox.wire.sasl.steps import (
    Challenge,
    Disproven,
    EmptyUser,
    MalformedResponse,
    Proven,
    Step,
    UnusableSecret,
    WantsStored,
    clear,
)

_FIRST_COUNT: Final = b"00000001"
_DIRECTIVE: Final = re.compile(
    rb"""
    [ \t\r\n,]* ([^\s=,"]+)
    [ \t\r\n]* = [ \t\r\n]*
    (?: "((?:[^"\\]|\\.)*)" | ([^\s,"]*) ) [ \t\r\n]* (?:,|\Z)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)


class DigestMd5:
    """One exchange."""

    def __init__(self, nonce: bytes, realms: Sequence[bytes] = (b"",), service: bytes = b"") -> None:
        """`realms`: what the client may choose from; `service`: what digest-uri has to begin with, if anything."""
        self._nonce = nonce
        self._realms = realms
        self._service = service
        self._is_asked = False
        self._given: dict[bytes, bytes] = {}
        self._is_proven = False

    def step(self, response: bytes | None) -> Step:
        """digest-challenge, whatever the client began with; then its digest-response; an empty one after ours."""
        if self._is_proven:
            return Proven()
        if not self._is_asked:
            self._is_asked = True
            return Challenge(self._challenge())
        self._given = self._checked(_directives(response or b""))
        user, realm = self._given[b"username"], self._given.get(b"realm", b"")
        return WantsStored(user, self._given.get(b"authzid", b""), realm)

    def _challenge(self) -> bytes:
        realms = b",".join(b'realm="%s"' % realm for realm in self._realms)
        return b'%s,nonce="%s",qop="auth",charset=utf-8,algorithm=md5-sess' % (realms, self._nonce)

    def _checked(self, given: dict[bytes, bytes]) -> dict[bytes, bytes]:
        for name in (b"nonce", b"username", b"cnonce", b"digest-uri", b"response"):
            if name not in given:
                raise MalformedResponse(f"Missing {name.decode()} parameter")
        service, slash, _ = given[b"digest-uri"].partition(b"/")
        if not given[b"username"]:
            raise EmptyUser("empty username")
        if not hmac.compare_digest(given[b"nonce"], self._nonce):
            raise MalformedResponse("Invalid nonce")
        if given.get(b"nc", _FIRST_COUNT) != _FIRST_COUNT:
            raise MalformedResponse("re-auth not supported currently")
        if given.get(b"qop", b"auth").lower() != b"auth":
            raise MalformedResponse("Nonallowed QoP requested")
        if given.get(b"charset", b"utf-8").lower() != b"utf-8":
            raise MalformedResponse("Only utf-8 charset is allowed")
        if not slash or (self._service and service.lower() != self._service):
            raise MalformedResponse("Invalid digest-uri")
        return given

    def with_stored(self, stored: bytes | None) -> Step:
        """The client's digest is compared with ours, and ours sent (response-auth)."""
        given = self._given
        secret = self._secret(stored)
        session = b":".join((secret, given[b"nonce"], given[b"cnonce"]))
        if authorization := given.get(b"authzid", b""):
            session += b":" + authorization
        key = _hexadecimal(session)
        expected = self._proof(key, b"AUTHENTICATE:")
        if not hmac.compare_digest(expected, given[b"response"].lower()) or stored is None:
            return Disproven()
        self._is_proven = True
        return Challenge(b"rspauth=" + self._proof(key, b":"))

    def _secret(self, stored: bytes | None) -> bytes:
        """`H({ username, ":", realm, ":", passwd })`; that of a user who does not exist is like any."""
        if stored is not None and stored.upper().startswith(b"{DIGEST-MD5}"):
            try:
                return binascii.unhexlify(stored[len(b"{DIGEST-MD5}") :])
            except binascii.Error as error:
                raise UnusableSecret("the stored DIGEST-MD5 secret is malformed") from error
        password = b"" if stored is None else clear(stored)
        if password is None:
            raise UnusableSecret("DIGEST-MD5 needs a password that is stored as {PLAIN} or {DIGEST-MD5}")
        words = (self._given[b"username"], self._given.get(b"realm", b""), password)
        return hashlib.md5(b":".join(words), usedforsecurity=False).digest()

    def _proof(self, key: bytes, prefix: bytes) -> bytes:
        """`response-value`  RFC 2831 §2.1.2.1"""
        given = self._given
        purpose = _hexadecimal(prefix + given[b"digest-uri"])
        return _hexadecimal(
            b":".join((key, given[b"nonce"], _FIRST_COUNT, given[b"cnonce"], b"auth", purpose))
        )


def _hexadecimal(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).hexdigest().encode()


def _directives(response: bytes) -> dict[bytes, bytes]:
    """`1#( username | realm | nonce | … )`, names in lower case.  RFC 2831 §7.1; MalformedResponse."""
    if not response:
        raise MalformedResponse("Client sent no input")
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(response):
        match = _DIRECTIVE.match(response, at)
        if match is None:
            if response[at:].strip(b" \t\r\n,"):
                raise MalformedResponse("Invalid directive")
            break
        name, quoted, token = match.groups()
        if name.lower() in found:
            raise MalformedResponse(f"{name.decode('ascii', 'replace')} is given twice")
        found[name.lower()] = token if quoted is None else _ESCAPED.sub(rb"\1", quoted)
        at = match.end()
    return found
