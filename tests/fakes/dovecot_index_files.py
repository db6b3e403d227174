"""Index and log files as Dovecot writes them, made octet by octet."""

import struct
from collections.abc import Sequence


def transaction(kind: int, data: bytes) -> bytes:
    """One record of a log."""
    size = (8 + len(data)) // 4
    groups = bytes((size >> shift & 0x7F) | 0x80 for shift in (21, 14, 7, 0))
    return groups + struct.pack("<I", kind) + data


def log(sequence: int, *records: bytes, modseq: int = 0) -> bytes:
    """A whole log."""
    return (
        struct.pack("<BBHIIIIIQ", 1, 3, 40, 77, sequence, 0, 0, 1700000000, modseq)
        + bytes(8)
        + b"".join(records)
    )


def appended(*messages: tuple[int, int]) -> bytes:
    """UIDs with flags."""
    return transaction(0x2, b"".join(struct.pack("<IBxxx", uid, flags) for uid, flags in messages))


def flagged(first: int, last: int, add: int, remove: int) -> bytes:
    """Flags of a range."""
    return transaction(0x4, struct.pack("<IIBBBx", first, last, add, remove, 0))


def keyword(name: bytes, first: int, last: int, *, removed: bool = False) -> bytes:
    """A keyword of a range."""
    padded = name + bytes(-len(name) % 4)
    return transaction(
        0x400, struct.pack("<BxH", removed, len(name)) + padded + struct.pack("<II", first, last)
    )


def expunged(first: int, last: int) -> bytes:
    """A range that is gone."""
    return transaction(0x1000CD91, struct.pack("<II", first, last))


def introduced(name: bytes) -> bytes:
    """An extension."""
    head = struct.pack("<IIIHHHH", 0xFFFFFFFF, 0, 0, 8, 8, 0, len(name))
    return transaction(0x40, head + name + bytes(-len(name) % 4))


def header(offset: int, value: int) -> bytes:
    """Four octets of the index's header."""
    return transaction(0x20, struct.pack("<HHI", offset, 4, value))


def index(
    validity: int,
    messages: Sequence[tuple[int, int, int, int]],
    *,
    keywords: Sequence[bytes] = (),
    first_recent: int = 1,
    log_position: tuple[int, int] = (1, 40),
    highest_modseq: int = 0,
) -> bytes:
    """An index: UID, flags, keyword bits and mod-sequence of each message."""
    names = b"".join(name + b"\0" for name in keywords)
    offsets, at = [], 0
    for name in keywords:
        offsets.append(at)
        at += len(name) + 1
    keyword_header = struct.pack("<I", len(keywords))
    keyword_header += b"".join(struct.pack("<II", 0, offset) for offset in offsets) + names
    modseq_header = struct.pack("<QII", highest_modseq, *log_position)
    size = max(4, (len(keywords) + 7) // 8)
    record_size = (8 + 8 + size + 7) & ~7
    extensions = _extension(b"modseq", 8, 8, modseq_header, 120)
    extensions += _extension(b"keywords", 16, size, keyword_header, 120 + len(extensions))
    base = bytearray(120)
    struct.pack_into("<BBHIIB", base, 0, 7, 3, 120, 120 + len(extensions), record_size, 1)
    struct.pack_into("<III", base, 24, validity, messages[-1][0] + 1 if messages else 1, len(messages))
    struct.pack_into("<I", base, 48, first_recent)
    struct.pack_into("<III", base, 60, log_position[0], log_position[1], log_position[1])
    records = b""
    for uid, flags, mask, modseq in messages:
        record = struct.pack("<IBxxxQ", uid, flags, modseq) + mask.to_bytes(size, "little")
        records += record + bytes(record_size - len(record))
    return bytes(base) + extensions + records


def _extension(name: bytes, offset: int, size: int, content: bytes, start: int) -> bytes:
    head = struct.pack("<IIHHHH", len(content), 0, offset, size, 4, len(name)) + name
    head += bytes(-(start + len(head)) % 8) + content
    return head + bytes(-(start + len(head)) % 8)
