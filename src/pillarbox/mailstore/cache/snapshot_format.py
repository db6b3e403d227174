"""A mailbox's state in one file: what a worker that begins would find out by listing directories.

DESCRIPTION
    A head, a header and columns:

        PbS, version, the number 0x01020304 in the machine's order of octets
        length and CRC-32 of the header, length and CRC-32 of the columns
        header: `SnapshotHeader` in MessagePack
        columns: UIDs (4 octets each), flags (1), keyword bits (8 or more, if there are any), mod-sequences (8, if
        they are kept), lengths of the paths (2), and the paths one behind the other

    The header is enough for STATUS and is read alone, so it has a checksum of its own.  The octets are this
    machine's own; a file of another is refused, as is one that is torn, damaged or of another version.

    Measured with 100,000 messages (5.4 MB): 2 ms for reading and checking, 3 ms for making it.

FAULTS
    ValueError  the octets are no such file
"""

import struct
import zlib
from array import array
from typing import Final, Self

import msgspec

from pillarbox.mailstore.dovecot_files.uidlist import UidListState
from pillarbox.mailstore.keyword_bits import NARROW, KeywordBits, from_octets, to_octets
from pillarbox.mailstore.mailbox import MAX_KEYWORDS

VERSION: Final = 1
MAX_HEADER: Final = 512 * 1024
"""Octets."""
MAX_COLUMNS: Final = 1 << 30
"""Octets; a larger mailbox is not written down."""

_ORDER: Final = 0x01020304
_HEAD: Final = struct.Struct("=3sBIIIQI")
HEAD_SIZE: Final = _HEAD.size
LOOKED_AT: Final = 4096
"""Octets that are read for a header, which is rarely longer."""


class FileStamp(msgspec.Struct, frozen=True, array_like=True):
    """What a file or directory is told by; times in ns since 1970."""

    device: int
    inode: int
    size: int  # 0 of a directory
    modified: int
    changed: int


class DirectoryStamp(msgspec.Struct, frozen=True, array_like=True):
    """The same of new/ or cur/, and whether it tells that nothing has changed (directory_state.py)."""

    stamp: FileStamp
    is_settled: bool


class SnapshotHeader(msgspec.Struct, frozen=True, array_like=True):
    """What is told without the messages, and under which circumstances all of it is true."""

    new: DirectoryStamp
    cur: DirectoryStamp
    uidlist: UidListState
    keyword_file: FileStamp | None
    surplus_file: FileStamp | None  # of keywords beyond the 26th
    dovecots_index: bytes  # stamp of Dovecot's own (mailstore/dovecot_files/takeover.py)
    uid_validity: int
    guid: bytes
    keywords: tuple[bytes, ...]
    letter_bits: tuple[int, ...]
    messages: int
    unseen: int
    deleted: int
    in_new: int
    highest_uid: int
    first_unseen: int  # as FolderFiles.first_unseen()
    first_recent: int
    recent: int
    size: int | None  # sum of RFC822.SIZE, and of those with \Deleted; None: not known
    deleted_size: int
    cache_number: int  # the mailbox's in the cache
    filled_to: int  # UIDs up to it have their rows there
    highest_modseq: int  # 0: no mod-sequences are kept
    has_keyword_bits: bool
    keyword_octets: int = NARROW  # of the bits of a message


class Snapshot(msgspec.Struct, frozen=True):
    """All of it.  The columns are the reader's own."""

    header: SnapshotHeader
    uids: "array[int]"
    flags: bytearray
    keyword_bits: KeywordBits
    modseqs: "array[int] | None"
    path_lengths: "array[int]"
    paths: bytes


class Head(msgspec.Struct, frozen=True, array_like=True):
    """How long the parts are, and their checksums."""

    header_length: int
    header_check: int
    columns_length: int
    columns_check: int

    @classmethod
    def of(cls, octets: bytes) -> Self:
        """What a file begins with.  ValueError."""
        if len(octets) < HEAD_SIZE:
            raise ValueError("too short")
        name, version, order, *numbers = _HEAD.unpack_from(octets)
        if name != b"PbS" or version != VERSION or order != _ORDER:
            raise ValueError("another format")
        head = cls(*numbers)
        if head.header_length > MAX_HEADER or head.columns_length > MAX_COLUMNS:
            raise ValueError("too long")
        return head


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(SnapshotHeader)


def encode(
    header: SnapshotHeader,
    *,
    uids: "array[int]",
    flags: bytes | bytearray,
    keyword_bits: KeywordBits,
    modseqs: "array[int] | None",
    path_lengths: "array[int]",
    paths: bytes,
) -> list[bytes]:
    """The parts of the file.  ValueError: it would be too large."""
    columns = [uids.tobytes(), bytes(flags)]
    if header.has_keyword_bits:
        columns.append(to_octets(keyword_bits))
    if modseqs is not None:
        columns.append(modseqs.tobytes())
    columns += [path_lengths.tobytes(), paths]
    length, check = sum(map(len, columns)), 0
    for column in columns:
        check = zlib.crc32(column, check)
    text = _ENCODER.encode(header)
    if len(text) > MAX_HEADER or length > MAX_COLUMNS:
        raise ValueError("too long")
    head = _HEAD.pack(b"PbS", VERSION, _ORDER, len(text), zlib.crc32(text), length, check)
    return [head, text, *columns]


def decode_header(head: Head, octets: bytes) -> SnapshotHeader:
    """The header from the octets of a file, which may end behind it.  ValueError."""
    text = octets[HEAD_SIZE : HEAD_SIZE + head.header_length]
    if len(text) != head.header_length or zlib.crc32(text) != head.header_check:
        raise ValueError("damaged header")
    try:
        header = _DECODER.decode(text)
    except msgspec.MsgspecError as error:  # a ValueError, which says so
        raise ValueError(str(error)) from error
    octets_fit = NARROW <= header.keyword_octets <= MAX_KEYWORDS // 8
    if len(header.keywords) > MAX_KEYWORDS or header.messages < 0 or not octets_fit:
        raise ValueError("impossible header")
    return header


def decode(octets: bytes) -> Snapshot:
    """A whole file.  ValueError."""
    head = Head.of(octets)
    header = decode_header(head, octets)
    start = HEAD_SIZE + head.header_length
    columns = memoryview(octets)[start:]
    if len(columns) != head.columns_length or zlib.crc32(columns) != head.columns_check:
        raise ValueError("damaged columns")
    count = header.messages
    keyword_octets = header.keyword_octets if header.has_keyword_bits else 0
    sizes = [4, 1, keyword_octets, 8 if header.highest_modseq else 0, 2]
    if len(columns) < count * sum(sizes):
        raise ValueError("columns too short")
    parts: list[memoryview] = []
    at = 0
    for size in sizes:
        parts.append(columns[at : at + count * size])
        at += count * size
    uids, flags, keyword_bits, modseqs, lengths = parts
    snapshot = Snapshot(
        header,
        _numbers("I", uids),
        bytearray(flags),
        from_octets(keyword_bits, header.keyword_octets)
        if header.has_keyword_bits
        else from_octets(bytes(NARROW * count), NARROW),
        _numbers("Q", modseqs) if header.highest_modseq else None,
        _numbers("H", lengths),
        bytes(columns[at:]),
    )
    first, last = (snapshot.uids[0], snapshot.uids[-1]) if count else (1, 0)
    if sum(snapshot.path_lengths) != len(snapshot.paths) or first < 1 or last > header.highest_uid:
        raise ValueError("columns that do not fit")
    return snapshot


def _numbers(kind: str, octets: memoryview | bytes) -> "array[int]":
    numbers = array(kind)
    numbers.frombytes(octets)
    return numbers
