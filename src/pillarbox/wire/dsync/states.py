"""What doveadm sync -s prints, and is given the next time: how far each mailbox is the same on both sides.

DESCRIPTION
    In base64: a version (1, 0, 0, 0), for each mailbox its GUID, UIDVALIDITY, the last common UID, mod-sequence and
    mod-sequence of private flags, and the number of messages, all little-endian, and a CRC-32 of that.

FAULTS
    ValueError  it is no such thing

STANDARDS
    Dovecot 2.3, doveadm-sync(1) (-s)
"""

import base64
import binascii
import struct
import zlib
from collections.abc import Iterable
from typing import Final

import msgspec

_HEAD: Final = bytes([1, 0, 0, 0])
_ROW: Final = struct.Struct("<16sIIQQI")


class CommonState(msgspec.Struct, frozen=True, array_like=True):
    """Of one mailbox."""

    guid: bytes
    """32 hex digits."""
    uid_validity: int
    last_uid: int
    modseq: int
    private_modseq: int
    count: int


def encode_states(states: Iterable[CommonState]) -> str:
    """The text."""
    rows = [
        _ROW.pack(bytes.fromhex(one.guid.decode("ascii")), *msgspec.structs.astuple(one)[1:])
        for one in states
    ]
    content = _HEAD + b"".join(rows)
    return base64.b64encode(content + struct.pack("<I", zlib.crc32(content))).decode("ascii")


def decode_states(text: str) -> list[CommonState]:
    """The mailboxes again.  ValueError, with Dovecot's words."""
    try:
        content = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("Invalid base64 data") from None
    if content == bytes(4):
        return []
    if len(content) < 8:
        raise ValueError("Input too small")
    if (len(content) - 8) % _ROW.size:
        raise ValueError("Invalid input size")
    if struct.pack("<I", zlib.crc32(content[:-4])) != content[-4:]:
        raise ValueError("CRC32 mismatch")
    rows = _ROW.iter_unpack(content[4:-4])
    return [CommonState(own_guid.hex().encode("ascii"), *numbers) for own_guid, *numbers in rows]
