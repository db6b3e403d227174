"""DIGEST-MD5 on the server's side."""

import hashlib

import pytest

from pillarbox.wire.sasl.digest_md5 import DigestMd5
from pillarbox.wire.sasl.steps import (
    Challenge,
    Disproven,
    EmptyUser,
    MalformedResponse,
    Proven,
    UnusableSecret,
    WantsStored,
)

RESPONSE = (
    b'charset=utf-8,username="chris",realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",nc=00000001,'
    b'cnonce="OA6MHXh6VqTrRk",digest-uri="imap/elwood.innosoft.com",'
    b"response=d388dad90d4bbd760a152321f2143af7,qop=auth"
)
"""RFC 2831 §4; the password is `secret`."""
FINAL = Challenge(b"rspauth=ea40f60335c427b5527b84dbabcdfffd")
REALM = b"elwood.innosoft.com"


def asked(service: bytes = b"") -> DigestMd5:
    """An exchange whose challenge is under way."""
    exchange = DigestMd5(b"OA6MG9tEQGm2hh", (REALM,), service)
    assert exchange.step(None) == Challenge(
        b'realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",charset=utf-8,algorithm=md5-sess'
    )
    return exchange


STORED = [
    b"{PLAIN}secret",
    b"{DIGEST-MD5}" + hashlib.md5(b"chris:elwood.innosoft.com:secret").hexdigest().encode(),
]


@pytest.mark.parametrize("stored", STORED)
def test_the_example_of_the_rfc(stored: bytes) -> None:
    """RFC 2831 §4, with the password in the clear or as it is stored for this mechanism."""
    exchange = asked()
    assert exchange.step(RESPONSE) == WantsStored(b"chris", b"", REALM)
    assert exchange.with_stored(stored) == FINAL
    assert exchange.step(b"") == Proven()


@pytest.mark.parametrize("stored", [None, b"{PLAIN}other", b"{DIGEST-MD5}" + bytes(32).hex().encode()[:32]])
def test_a_wrong_password_and_nobody(stored: bytes | None) -> None:
    """They are refused at the same step."""
    exchange = asked()
    exchange.step(RESPONSE)
    assert exchange.with_stored(stored) == Disproven()


@pytest.mark.parametrize("stored", [b"{BLF-CRYPT}$2y$", b"{DIGEST-MD5}xyz"])
def test_a_stored_password_of_no_use(stored: bytes) -> None:
    """A digest of another kind."""
    exchange = asked()
    exchange.step(RESPONSE)
    with pytest.raises(UnusableSecret):
        exchange.with_stored(stored)


SAME = {
    "no nonce-count": RESPONSE.replace(b"nc=00000001,", b""),
    "no qop": RESPONSE.replace(b",qop=auth", b""),
    "no charset": RESPONSE.replace(b"charset=utf-8,", b""),
    "a directive of tomorrow": RESPONSE + b",maxbuf=65536,colour=blue",
    "blanks": RESPONSE.replace(b",", b" , ").replace(b"=", b" = "),
    "empty elements": b",," + RESPONSE.replace(b",", b",,") + b",",
    "quoted octets": RESPONSE.replace(b'"chris"', b'"c\\hris"'),
    "names in capitals": RESPONSE.replace(b"username", b"USERNAME"),
}


@pytest.mark.parametrize("response", SAME.values(), ids=SAME)
def test_what_means_the_same(response: bytes) -> None:
    """RFC 2831 §2.1.2, §7.1"""
    exchange = asked()
    assert exchange.step(response) == WantsStored(b"chris", b"", REALM)
    assert exchange.with_stored(STORED[0]) == FINAL


REFUSED = {
    "nothing": (b"", "Client sent no input"),
    "no list": (b"garbage", "Invalid directive"),
    "no user": (RESPONSE.replace(b"username", b"user"), "Missing username parameter"),
    "no nonce": (RESPONSE.replace(b",nonce", b",nounce"), "Missing nonce parameter"),
    "another nonce": (RESPONSE.replace(b'nonce="OA6MG', b'nonce="OA7MG'), "Invalid nonce"),
    "a second time": (RESPONSE.replace(b"nc=00000001", b"nc=00000002"), "re-auth not supported currently"),
    "a layer": (RESPONSE.replace(b"qop=auth", b"qop=auth-int"), "Nonallowed QoP requested"),
    "another charset": (RESPONSE.replace(b"utf-8", b"latin-1"), "Only utf-8 charset is allowed"),
    "no service": (RESPONSE.replace(b"imap/", b""), "Invalid digest-uri"),
    "twice": (RESPONSE + b",qop=auth", "qop is given twice"),
    "an open quote": (RESPONSE.replace(b'chris"', b"chris"), "Invalid directive"),
}


@pytest.mark.parametrize(("response", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_none(response: bytes, reason: str) -> None:
    """The reason is for the log."""
    with pytest.raises(MalformedResponse, match=reason):
        asked().step(response)


def test_nobody_is_named() -> None:
    """That is told apart: Cyrus answers it in another way."""
    with pytest.raises(EmptyUser):
        asked().step(RESPONSE.replace(b'"chris"', b'""'))


def test_a_response_for_another_service() -> None:
    """One that was overheard at an IMAP server is of no use to log in to send mail."""
    with pytest.raises(MalformedResponse, match="Invalid digest-uri"):
        asked(b"smtp").step(RESPONSE)
    assert asked(b"imap").step(RESPONSE) == WantsStored(b"chris", b"", REALM)


def test_on_behalf_of_another() -> None:
    """`authzid` is part of the digest."""
    exchange = asked()
    assert exchange.step(RESPONSE + b',authzid="ann"') == WantsStored(b"chris", b"ann", REALM)
    assert exchange.with_stored(STORED[0]) == Disproven()
