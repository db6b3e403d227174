"""APOP: a POP3 client shows that it knows the password by a digest of it and of the greeting's timestamp.

DESCRIPTION
    Login processes hand the three parts over as one response, `timestamp NUL name NUL digest`.  A timestamp begins
    with what the authentication server has told its client of their connection, so that nobody chooses his own.

STANDARDS
    RFC 1939 §7
"""

import hashlib
import hmac

from pillarbox.wire.sasl.steps import (
    Disproven,
    EmptyUser,
    MalformedResponse,
    Proven,
    Step,
    UnusableSecret,
    WantsStored,
    clear,
)

_DIGEST_OCTETS = 16


class Apop:
    """One login; `begin` is how its timestamp has to begin."""

    def __init__(self, begin: bytes) -> None:
        self._begin = begin
        self._timestamp = self._digest = b""

    def step(self, response: bytes | None) -> Step:
        """The one response."""
        parts = (response or b"").split(b"\0", 2)
        if len(parts) != 3 or len(parts[2]) != _DIGEST_OCTETS:
            raise MalformedResponse("malformed data")
        self._timestamp, user, self._digest = parts
        if not user:
            raise EmptyUser("Empty username")
        if not self._begin or not self._timestamp.startswith(self._begin):
            raise MalformedResponse("invalid challenge")
        return WantsStored(user)

    def with_stored(self, stored: bytes | None) -> Step:
        """Whether the digest is of that password.  UnusableSecret: it is not stored in the clear."""
        password = None if stored is None else clear(stored)
        if stored is not None and password is None:
            raise UnusableSecret("APOP needs a password that is stored as {PLAIN}")
        wanted = hashlib.md5(self._timestamp + (password or b""), usedforsecurity=False).digest()
        is_right = hmac.compare_digest(wanted, self._digest) and password is not None
        return Proven() if is_right else Disproven()


def timestamp_begin(server: int, connection: int) -> bytes:
    """`<PID.CUID.`: of the authentication server's process, and of a connection to it."""
    return b"<%x.%x." % (server, connection)
