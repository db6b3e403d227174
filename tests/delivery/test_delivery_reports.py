"""What is a delivery report, read from the queue file."""

import os
from pathlib import Path

import pytest

from pillarbox.delivery.local.delivery_reports import is_report
from pillarbox.queue.new_queue_file import encode_end
from pillarbox.queue.records import ContentEncoder

LONG = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 900) for number in range(100))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=b\r\n\r\n", True),
        (b"X: y\r\ncontent-type:\r\n MULTIPART/Report\r\n\r\n", True),
        (b'Content-Type: multipart/mixed; boundary="multipart/report"\r\n\r\n', False),
        (b"Content-Type: text/plain\r\n\r\nContent-Type: multipart/report\r\n", False),
        (LONG + b"Content-Type: multipart/report\r\n\r\n", True),
        (b"Subject: x\r\n\r\n" + LONG, False),
        (b"", False),
    ],
)
def test_types(tmp_path: Path, content: bytes, expected: bool) -> None:
    """The type of the whole message alone."""
    encoder = ContentEncoder()
    (tmp_path / "message").write_bytes(b"before" + encoder.feed(content) + encoder.finish() + encode_end(()))
    descriptor = os.open(tmp_path / "message", os.O_RDONLY)
    try:
        assert is_report(descriptor, len(b"before")) is expected
    finally:
        os.close(descriptor)
