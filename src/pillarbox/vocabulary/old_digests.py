"""Digests that hashlib does not give: MD4, and MD5 that goes on from a context.

DESCRIPTION
    Stored passwords of old installations are made of them: {PLAIN-MD4} is MD4, {CRAM-MD5} is what HMAC-MD5 has
    made of the password alone.  None of them is fit for a new password.

    A context is the state behind a whole number of blocks: four 32-bit numbers, least octet first.

STANDARDS
    RFC 1320 (MD4); RFC 1321 (MD5); RFC 2104, RFC 2195 (HMAC-MD5)
"""

import hashlib
import math
import struct
from collections.abc import Callable
from typing import Final

BLOCK: Final = 64
"""Octets."""
CONTEXT: Final = 16
"""Octets."""

_MASK: Final = 0xFFFFFFFF
_START: Final = bytes.fromhex("0123456789abcdeffedcba9876543210")
_SINES: Final = [int(abs(math.sin(step + 1)) * 2**32) for step in range(64)]  # RFC 1321 §3.4
_MD5_SHIFTS: Final = ((7, 12, 17, 22), (5, 9, 14, 20), (4, 11, 16, 23), (6, 10, 15, 21))
_MD5_ORDER: Final = ((1, 0), (5, 1), (3, 5), (7, 0))  # word of a step: factor and first
_MD4_SHIFTS: Final = ((3, 7, 11, 19), (3, 5, 9, 13), (3, 9, 11, 15))
_MD4_ADDED: Final = (0, 0x5A827999, 0x6ED9EBA1)
_MD4_ORDER: Final = (
    range(16),
    (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15),
    (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15),
)


def md4(content: bytes) -> bytes:
    """The digest of the content, 16 octets."""
    return _digest(_md4_block, _START, content, len(content))


def hmac_md5_contexts(key: bytes) -> bytes:
    """The outer and the inner context of HMAC-MD5 with this key, 32 octets: what {CRAM-MD5} stores."""
    if len(key) > BLOCK:
        key = hashlib.md5(key, usedforsecurity=False).digest()
    key = key.ljust(BLOCK, b"\0")
    return b"".join([_md5_block(_START, bytes(octet ^ pad for octet in key)) for pad in (0x5C, 0x36)])


def hmac_md5(contexts: bytes, message: bytes) -> bytes:
    """HMAC-MD5 of a message under the key of these contexts, 16 octets."""
    outer, inner = contexts[:CONTEXT], contexts[CONTEXT:]
    digest = _digest(_md5_block, inner, message, BLOCK + len(message))
    return _digest(_md5_block, outer, digest, BLOCK + len(digest))


def _digest(block: Callable[[bytes, bytes], bytes], context: bytes, content: bytes, length: int) -> bytes:
    """The context behind the content and its padding; `length` counts what is in the context already, too."""
    padded = content + b"\x80" + bytes(-(len(content) + 9) % BLOCK) + struct.pack("<Q", length * 8)
    for start in range(0, len(padded), BLOCK):
        context = block(context, padded[start : start + BLOCK])
    return context


def _md5_block(context: bytes, block: bytes) -> bytes:
    before = struct.unpack("<4I", context)
    words = struct.unpack("<16I", block)
    a, b, c, d = before
    for step in range(64):
        turn = step // 16
        mixed = (b & c | ~b & d, d & b | ~d & c, b ^ c ^ d, c ^ (b | ~d & _MASK))[turn]
        factor, first = _MD5_ORDER[turn]
        total = (a + mixed + _SINES[step] + words[(factor * step + first) % 16]) & _MASK
        a, d, c, b = d, c, b, (b + _rotated(total, _MD5_SHIFTS[turn][step % 4])) & _MASK
    return _added(before, (a, b, c, d))


def _md4_block(context: bytes, block: bytes) -> bytes:
    before = struct.unpack("<4I", context)
    words = struct.unpack("<16I", block)
    a, b, c, d = before
    for step in range(48):
        turn = step // 16
        mixed = (b & c | ~b & d, b & c | b & d | c & d, b ^ c ^ d)[turn]
        total = (a + mixed + words[_MD4_ORDER[turn][step % 16]] + _MD4_ADDED[turn]) & _MASK
        a, d, c, b = d, c, b, _rotated(total, _MD4_SHIFTS[turn][step % 4])
    return _added(before, (a, b, c, d))


def _rotated(number: int, bits: int) -> int:
    return (number << bits | number >> (32 - bits)) & _MASK


def _added(before: tuple[int, ...], state: tuple[int, ...]) -> bytes:
    return struct.pack("<4I", *[(one + other) & _MASK for one, other in zip(before, state, strict=True)])
