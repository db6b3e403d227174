"""What a notice answers to."""

import pytest

from pillarbox.bounce.submission import thread_of

THREADS = [
    ("noted", {b"message_id": b"<1@x>"}, [b"Message-ID: <2@x>"], b"<1@x>"),
    ("noted, and none", {b"message_id": b"1"}, [b"Message-ID: <2@x>"], b""),
    ("of the header", {}, [b"Subject: x", b"MESSAGE-ID:  <2@x> ", b"", b"Message-ID: <3@x>"], b"<2@x>"),
    ("of the body", {}, [b"Subject: x", b"", b"Message-ID: <3@x>"], b""),
    ("no id", {}, [b"Message-ID: 2@x"], b""),
    ("nothing", {}, [], b""),
]


@pytest.mark.parametrize(
    ("attributes", "lines", "thread"), [pytest.param(*case[1:], id=case[0]) for case in THREADS]
)
def test_threads(attributes: dict[bytes, bytes], lines: list[bytes], thread: bytes) -> None:
    """The Message-ID that is known of the message, also of one that Postfix has queued (RFC 5322 §3.6.4)."""
    assert thread_of(attributes, lines) == thread
