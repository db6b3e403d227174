"""Octets of chunks, as smtpd(8) counts them."""

import pytest

from pillarbox.wire.smtp.content_count import ContentCount


@pytest.mark.parametrize(
    ("content", "octets"),
    [
        (b"", 0),
        (b"a\r\n\r\n", 5),
        (b"open", 0),
        (b"x" * 24, 24),
        (b"x" * 10 + b"\r\n", 14),
        (b"x" * 9 + b"\r\n", 11),
        (b"x" * 25 + b"\r\n", 31),
    ],
)
def test_records(content: bytes, octets: int) -> None:
    """In whatever pieces it comes; what has no end does not count yet."""
    for step in (1, 4, 100):
        count = ContentCount(10)
        pieces = content.split(b"\r\n")
        for at, line in enumerate(pieces):
            for start in range(0, len(line), step):
                count.add(line[start : start + step])
            if at < len(pieces) - 1:
                count.add(b"\r\n")
        assert count.octets == octets, step
        count.end()
        assert count.octets == octets + (6 if content in (b"open", b"x" * 24) else 0)
