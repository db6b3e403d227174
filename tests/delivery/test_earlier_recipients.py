"""Whom a message has been delivered to, read from its queue file."""

import os
from pathlib import Path

import pytest

from pillarbox.delivery.local.earlier_recipients import earlier_recipients
from pillarbox.queue.new_queue_file import encode_end
from pillarbox.queue.records import ContentEncoder, CorruptQueueFile

LONG = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 900) for number in range(100))
LINE = b"X: %s\r\n" % (b"z" * 5000)


def found(path: Path, content: bytes) -> set[bytes]:
    """Those of a message with CRLF line ends."""
    encoder = ContentEncoder()
    records = encoder.feed(content) + encoder.finish()
    path.write_bytes(b"before" + records + encode_end(()))
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return set(earlier_recipients(descriptor, len(b"before")))
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", set()),
        (b"Subject: x\r\n\r\nbody\r\n", set()),
        (b"Delivered-To: Me@Here.test\r\n\r\n", {b"me@here.test"}),
        (b"DELIVERED-TO:\ta@b \r\nX: y\r\ndelivered-to:c@d\r\n\r\n", {b"a@b", b"c@d"}),
        (b"Subject: Delivered-To: a@b\r\n Delivered-To: a@b\r\n\r\n", set()),
        (b"Subject: x\r\n\r\nDelivered-To: a@b\r\n", set()),
        (LONG + b"Delivered-To: a@b\r\n\r\n", {b"a@b"}),
        (b"Subject: x\r\n\r\n" + LONG, set()),
        (LINE + b"Delivered-To: a@b\r\n\r\n" + LINE, {b"a@b"}),
        (LONG + LINE + b"\r\nDelivered-To: a@b\r\n", set()),
    ],
)
def test_fields(tmp_path: Path, content: bytes, expected: set[bytes]) -> None:
    """Of the header alone, wherever in it they stand and however long it is."""
    assert found(tmp_path / "message", content) == expected


def test_damage(tmp_path: Path) -> None:
    """A header that does not end is no header, if somebody has to know what it says."""
    path = tmp_path / "message"
    path.write_bytes(b"N\x10Delivered-To: a@bQ\x00")
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with pytest.raises(CorruptQueueFile):
            earlier_recipients(descriptor, 0)
    finally:
        os.close(descriptor)
