"""CRAM-MD5, the server's side.

STANDARDS
    RFC 2195
"""

import binascii
import hmac
import re

from pillarbox.vocabulary.old_digests import CONTEXT, hmac_md5, hmac_md5_contexts
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


def _contexts(stored: bytes) -> bytes | None:
    """What HMAC-MD5 makes of the password, if that is stored so or in the clear."""
    for prefix in (b"{CRAM-MD5}", b"{HMAC-MD5}"):
        if stored.upper().startswith(prefix):
            text = stored[len(prefix) :]
            return binascii.unhexlify(text) if re.fullmatch(rb"[0-9A-Fa-f]{64}", text) else None
    password = clear(stored)
    return None if password is None else hmac_md5_contexts(password)
