"""A mailbox's snapshot: any octets are refused, or are columns that fit together."""

import struct
import zlib
from array import array

import msgspec

from pillarbox.mailstore.cache.snapshot_format import (
    HEAD_SIZE,
    DirectoryStamp,
    FileStamp,
    Head,
    SnapshotHeader,
    decode,
    decode_header,
    encode,
)
from pillarbox.mailstore.dovecot_files.uidlist import UidListState
from pillarbox.mailstore.maildir.message_paths import MessagePaths

STAMP = FileStamp(1, 2, 3, 10**18, 10**18)
HEADER = SnapshotHeader(
    new=DirectoryStamp(STAMP, is_settled=True),
    cur=DirectoryStamp(STAMP, is_settled=False),
    uidlist=UidListState(
        1, 2, 87, 10**18, 10**18, b"3 V7 N1 G%s\n" % (b"a" * 32), b"2 :b\n", 3, 2, 2, has_fields=False
    ),
    keyword_file=STAMP,
    surplus_file=None,
    dovecots_index=b"",
    uid_validity=7,
    guid=b"a" * 32,
    keywords=(b"Work",),
    letter_bits=(0,) + (-1,) * 25,
    messages=2,
    unseen=1,
    deleted=0,
    in_new=1,
    highest_uid=2,
    first_unseen=1,
    first_recent=1,
    recent=2,
    size=40,
    deleted_size=0,
    cache_number=5,
    filled_to=2,
    highest_modseq=0,
    has_keyword_bits=True,
)
PATHS = (b"cur/a:2,Sa", b"new/b")


def written(header: SnapshotHeader, modseqs: "array[int] | None" = None) -> bytes:
    """A file."""
    return b"".join(
        encode(
            header,
            uids=array("I", [1, 2]),
            flags=b"\x08\x00",
            keyword_bits=array("Q", [1, 0]),
            modseqs=modseqs,
            path_lengths=array("H", map(len, PATHS)),
            paths=b"".join(PATHS),
        )
    )


SEEDS = [
    written(HEADER),
    written(msgspec.structs.replace(HEADER, highest_modseq=9, size=None), array("Q", [8, 9])),
    written(HEADER)[:-1],
    b"",
]
DICTIONARY = [b"PbS\x01\x04\x03\x02\x01", b"\xc0", b"\xdc\x00\x1a", b"cur/", b"new/"]


def fuzz_one(data: bytes) -> None:
    """As they are, and with the checksums and lengths that let them pass."""
    check(data)
    if len(data) > HEAD_SIZE:
        length = min(struct.unpack_from("=I", data, 8)[0], len(data) - HEAD_SIZE)
        header, columns = data[HEAD_SIZE : HEAD_SIZE + length], data[HEAD_SIZE + length :]
        check(
            SEEDS[0][:8]
            + struct.pack("=IIQI", length, zlib.crc32(header), len(columns), zlib.crc32(columns))
            + header
            + columns
        )


def check(data: bytes) -> None:
    """ValueError, or a table that can be used."""
    try:
        header = decode_header(Head.of(data), data)
        snapshot = decode(data)
    except ValueError:
        return
    assert snapshot.header == header
    count = header.messages
    assert count == len(snapshot.uids) == len(snapshot.flags) == len(snapshot.keyword_bits)
    assert snapshot.modseqs is None or len(snapshot.modseqs) == count
    paths = MessagePaths.of(snapshot.paths, snapshot.path_lengths)
    assert b"".join(paths) == snapshot.paths
    assert len(paths) == count
