"""A client of DIGEST-MD5 that may be wrong in any part of its response, and what a server says to it.

STANDARDS
    RFC 2831 §2.1.2
"""

import base64
import hashlib
import re
import socket
from typing import Final, NamedTuple

from fakes.mail_system import PATIENCE

_RSPAUTH: Final = re.compile(rb"rspauth=[0-9a-f]{32}")


class Login(NamedTuple):
    """What the client says; `change` replaces a part of its response after the digest was made."""

    user: bytes = b"joe"
    password: bytes = b"secret"
    realm: bytes | None = None
    authorization: bytes = b""
    uri: bytes = b"smtp/pillarbox.test"
    nonce_count: bytes = b"00000001"
    more: bytes = b""
    change: tuple[bytes, bytes] = (b"", b"")
    whole: bytes | None = None  # the response, instead

    def response(self, challenge: bytes) -> bytes:
        """`digest-response`"""
        if self.whole is not None:
            return self.whole
        nonce = re.search(rb'nonce="([^"]*)"', challenge)
        assert nonce is not None, challenge
        secret = hashlib.md5(b":".join((self.user, self.realm or b"", self.password))).digest()
        session = secret + b":%b:OA6MHXh6VqTrRk" % nonce[1]
        if self.authorization:
            session += b":" + self.authorization
        purpose = hashlib.md5(b"AUTHENTICATE:" + self.uri).hexdigest()
        key = hashlib.md5(session).hexdigest()
        proof = b"%b:%b:%b:OA6MHXh6VqTrRk:auth:%b" % (
            key.encode(),
            nonce[1],
            self.nonce_count,
            purpose.encode(),
        )
        words = [b'username="%b"' % self.user]
        if self.realm is not None:
            words.append(b'realm="%b"' % self.realm)
        words.append(b'nonce="%b",cnonce="OA6MHXh6VqTrRk",nc=%b,qop=auth' % (nonce[1], self.nonce_count))
        words.append(b'digest-uri="%b",response=%b' % (self.uri, hashlib.md5(proof).hexdigest().encode()))
        if self.authorization:
            words.append(b'authzid="%b"' % self.authorization)
        return b",".join(words).replace(*self.change, 1) + self.more


def told(port: int, login: Login, *, hello: bytes, command: bytes, goes_on: bytes) -> list[bytes]:
    """What a server on this host says after the response, to the end: `hello` is said first, if anything."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock,
        sock.makefile("rb") as lines,
    ):
        lines.readline()
        if hello:
            sock.sendall(hello)
            while not re.match(rb"250 ", lines.readline()):
                pass
        sock.sendall(command)
        challenge = lines.readline()
        if not challenge.startswith(goes_on):
            return [challenge]
        decoded = base64.b64decode(challenge[len(goes_on) :])
        sock.sendall(base64.b64encode(login.response(decoded)) + b"\r\n")
        answer = lines.readline()
        if not answer.startswith(goes_on):
            return [answer]
        final = _RSPAUTH.sub(b"rspauth=...", base64.b64decode(answer[len(goes_on) :]))
        sock.sendall(b"\r\n")
        return [final, lines.readline()]
