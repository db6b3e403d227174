"""Message files that Dovecot's zlib plugin has packed."""

import bz2
import gzip

import pytest

from pillarbox.mailstore.file_content import plain_content
from pillarbox.mailstore.mailbox import StoreUnavailable

MESSAGE = b"Subject: x\n\n" + b"text\n" * 100

READABLE = [
    ("plain", MESSAGE),
    ("gzip", gzip.compress(MESSAGE)),
    ("two gzip members", gzip.compress(MESSAGE[:20]) + gzip.compress(MESSAGE[20:])),
    ("bzip2", bz2.compress(MESSAGE)),
]


@pytest.mark.parametrize(("name", "stored"), READABLE, ids=[row[0] for row in READABLE])
def test_packed_messages_are_unpacked(name: str, stored: bytes) -> None:
    """The reader finds out by the first bytes."""
    assert plain_content(stored) == MESSAGE


UNREADABLE = [
    ("cut gzip", gzip.compress(MESSAGE)[:-9]),
    ("broken gzip", b"\x1f\x8b" + b"\0" * 40),
    ("cut bzip2", bz2.compress(MESSAGE)[:-9]),
    ("broken bzip2", b"BZh9" + b"\0" * 40),
    ("zstd", b"\x28\xb5\x2f\xfd\0"),
    ("lz4", b"Dovecot-LZ4\r*\x9b\xc5\0"),
    ("encrypted", b"CRYPTED\x03\x07\0"),
]


@pytest.mark.parametrize(("name", "stored"), UNREADABLE, ids=[row[0] for row in UNREADABLE])
def test_what_cannot_be_read_is_a_fault(name: str, stored: bytes) -> None:
    """Never handed out as if it were the message."""
    with pytest.raises(StoreUnavailable):
        plain_content(stored)
