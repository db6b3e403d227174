"""{OTP}: what a stored one-time password is of a password, `sha1 1024 seed hexadecimal`.

DESCRIPTION
    The seed and the password are hashed, and the 64 bits that are left of it again as often as the number says.
    The mechanism that counts the number down is not served: a password is checked against the stored one.

STANDARDS
    RFC 2289 §5, §6, Appendix A; RFC 2444
"""

import hashlib
import hmac
import secrets
from typing import Final

from pillarbox.vocabulary.digits import decimal
from pillarbox.vocabulary.old_digests import md4

_FIRST: Final = 1024
_MOST: Final = 10000
"""Steps of a stored one that are gone."""
_ALGORITHMS: Final = (b"md4", b"md5", b"sha1")


def is_of(password: bytes, text: bytes) -> bool:
    """Whether the text is of that password; False of what is no such text."""
    parts = text.lower().split(b" ")
    if len(parts) != 4 or parts[0] not in _ALGORITHMS or len(parts[3]) != 16:
        return False
    try:
        steps = decimal(parts[1], max_digits=5)
    except ValueError:
        return False
    if not 0 < steps <= _MOST:
        return False
    return hmac.compare_digest(_computed(parts[0], parts[2], password, steps).hex().encode(), parts[3])


def made_of(password: bytes) -> str:
    """A new one."""
    seed = secrets.token_hex(8).encode()
    return f"sha1 {_FIRST} {seed.decode()} {_computed(b'sha1', seed, password, _FIRST).hex()}"


def _computed(algorithm: bytes, seed: bytes, password: bytes, steps: int) -> bytes:
    found = _folded(algorithm, seed + password)
    for _ in range(steps):
        found = _folded(algorithm, found)
    return found


def _folded(algorithm: bytes, content: bytes) -> bytes:
    """The digest, folded to 64 bits."""
    if algorithm == b"sha1":
        digest = hashlib.sha1(content, usedforsecurity=False).digest()
        words = [int.from_bytes(digest[at : at + 4], "big") for at in range(0, 20, 4)]
        halves = (words[0] ^ words[2] ^ words[4], words[1] ^ words[3])
        return b"".join(half.to_bytes(4, "little") for half in halves)
    digest = md4(content) if algorithm == b"md4" else hashlib.md5(content, usedforsecurity=False).digest()
    return bytes(one ^ other for one, other in zip(digest[:8], digest[8:], strict=True))
