"""SASL mechanisms on the server's side."""

import pytest

from pillarbox.wire.sasl import MECHANISMS, Challenge, Credentials, MalformedResponse, start


def said(answer: Challenge | Credentials) -> tuple[bytes, bytes, bytes]:
    """Who, with which password, on behalf of whom."""
    assert isinstance(answer, Credentials)
    return answer.user, answer.password.reveal(), answer.authorization


def test_plain_takes_one_response() -> None:
    """RFC 4616, at once or after an empty challenge."""
    expected = (b"me", b"secret", b"other")
    assert said(start(b"PLAIN").step(b"other\0me\0secret")) == expected
    exchange = start(b"PLAIN")
    assert exchange.step(None) == Challenge(b"")
    assert said(exchange.step(b"other\0me\0secret")) == expected


def test_login_asks_twice() -> None:
    """An initial response is the user name."""
    for first in ([None, b"me"], [b"me"]):
        exchange = start(b"LOGIN")
        answers = [exchange.step(response) for response in first]
        assert answers[-1] == Challenge(b"Password:")
        assert said(exchange.step(b"se\0cret")) == (b"me", b"se\0cret", b"")


MALFORMED = [b"", b"me", b"me\0secret", b"\0\0secret", b"a\0b\0c\0d"]


@pytest.mark.parametrize("response", MALFORMED)
def test_malformed_plain(response: bytes) -> None:
    """A user must be named, and there are three parts."""
    with pytest.raises(MalformedResponse):
        start(b"PLAIN").step(response)


def test_login_needs_a_user() -> None:
    """An empty name is none."""
    with pytest.raises(MalformedResponse):
        start(b"LOGIN").step(b"")


def test_what_is_offered_can_be_started() -> None:
    """And nothing else can."""
    assert MECHANISMS == (b"PLAIN", b"LOGIN")
    with pytest.raises(KeyError):
        start(b"GSSAPI")
