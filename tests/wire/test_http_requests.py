"""HTTP requests: heads, bodies in any pieces, and what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.wire.http_requests import (
    BadRequest,
    RequestReader,
    basic_credentials,
    key_of,
    reply_head,
)

HEAD = b"POST /doveadm/v1?x HTTP/1.1\r\nHost: a\r\n"
BODIES = (
    (b"Content-Length: 5\r\n\r\nhello", b"hello"),
    (b"\r\n", b""),
    (b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n", b"hello"),
    (b"Transfer-Encoding: chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n", b""),
)


@given(st.sampled_from(BODIES), st.integers(1, 80))
def test_requests_in_any_pieces(body: tuple[bytes, bytes], size: int) -> None:
    """With a length, in chunks, without a body."""
    octets, expected = HEAD + body[0], body[1]
    reader = RequestReader()
    for at in range(0, len(octets), size):
        assert not reader.is_complete
        reader.feed(octets[at : at + size])
    assert reader.is_complete
    assert bytes(reader.body) == expected
    assert reader.head is not None
    assert (reader.head.method, reader.head.path, reader.head.fields["host"]) == ("POST", "/doveadm/v1", "a")


@pytest.mark.parametrize(
    "octets",
    [
        b"frob\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nbad field\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc",
        b"x" * 70_000,
    ],
)
def test_what_is_none(octets: bytes) -> None:
    """Nothing more is read."""
    with pytest.raises(BadRequest):
        RequestReader().feed(octets)


def test_who_waits_for_a_hundred() -> None:
    """Before the body has come."""
    reader = RequestReader()
    reader.feed(HEAD + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n")
    assert reader.wants_to_go_on
    reader.feed(b"x")
    assert not reader.wants_to_go_on


def test_credentials() -> None:
    """RFC 7617: the password may have colons."""
    assert basic_credentials("YTpiOmM=") == ("a", "b:c")
    assert basic_credentials("YQ==") is None
    assert basic_credentials("*") is None
    assert key_of("a2V5") == "key"


def test_the_head_of_a_reply() -> None:
    """Its fields, and the end of the connection."""
    assert reply_head("200 OK", "now", 3, "A: b\r\n") == (
        b"HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 3\r\nConnection: close\r\nA: b\r\n\r\n"
    )
