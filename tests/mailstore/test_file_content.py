"""Message files that Dovecot's zlib plugin has packed."""

import bz2
import gzip
import lzma

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.mailstore.content.file_content import packed_content, plain_content
from pillarbox.mailstore.mailbox import StoreUnavailable

MESSAGE = b"Subject: x\n\n" + b"text\n" * 100

READABLE = [
    ("plain", MESSAGE),
    ("gzip", gzip.compress(MESSAGE)),
    ("two gzip members", gzip.compress(MESSAGE[:20]) + gzip.compress(MESSAGE[20:])),
    ("bzip2", bz2.compress(MESSAGE)),
    ("xz", lzma.compress(MESSAGE)),
    ("zstd", zstandard.compress(MESSAGE)),
    ("zstd without its size", zstandard.ZstdCompressor(write_content_size=False).compress(MESSAGE)),
    ("two zstd frames", zstandard.compress(MESSAGE[:20]) + zstandard.compress(MESSAGE[20:])),
    ("lz4", packed_content(MESSAGE, "lz4", 0)),
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
    ("cut xz", lzma.compress(MESSAGE)[:-9]),
    ("broken zstd", b"\x28\xb5\x2f\xfd\0"),
    ("cut zstd", zstandard.compress(MESSAGE)[:-3]),
    ("cut zstd without its size", zstandard.ZstdCompressor(write_content_size=False).compress(MESSAGE)[:-3]),
    ("lz4 header", b"Dovecot-LZ4\r*\x9b\xc5\0"),
    ("lz4 block size", b"Dovecot-LZ4\r*\x9b\xc5\xff\xff\xff\xff"),
    ("cut lz4", packed_content(MESSAGE, "lz4", 0)[:-3]),
    ("broken lz4", packed_content(MESSAGE, "lz4", 0)[:19] + b"\0\0\0\4abcd"),
    ("encrypted", b"CRYPTED\x03\x07\0"),
]


@pytest.mark.parametrize(("name", "stored"), UNREADABLE, ids=[row[0] for row in UNREADABLE])
def test_what_cannot_be_read_is_a_fault(name: str, stored: bytes) -> None:
    """Never handed out as if it were the message."""
    with pytest.raises(StoreUnavailable):
        plain_content(stored)


@given(st.binary(max_size=200_000), st.sampled_from(["gz", "bz2", "zstd", "lz4"]), st.integers(0, 9))
def test_what_is_packed_is_unpacked(content: bytes, algorithm: str, level: int) -> None:
    """By each, whatever it is."""
    assert plain_content(packed_content(content, algorithm, level)) == content
