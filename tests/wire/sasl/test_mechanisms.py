"""SASL mechanisms on the server's side."""

import base64
import hashlib
import hmac

import pytest

from pillarbox.vocabulary.old_digests import hmac_md5_contexts
from pillarbox.wire.sasl.mechanisms import MECHANISMS, start
from pillarbox.wire.sasl.steps import (
    Challenge,
    Credentials,
    Disproven,
    MalformedResponse,
    Nobody,
    Proven,
    Step,
    UnusableSecret,
    Vouched,
    WantsStored,
)


def said(answer: Step) -> tuple[bytes, bytes, bytes]:
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
    """An empty name is none; an empty initial response is no name yet."""
    exchange = start(b"LOGIN")
    assert exchange.step(b"") == Challenge(b"Username:")
    with pytest.raises(MalformedResponse):
        exchange.step(b"")


def test_what_is_offered_can_be_started() -> None:
    """And nothing else can."""
    assert MECHANISMS[:2] == (b"PLAIN", b"LOGIN")
    for name in MECHANISMS:
        start(name)
    with pytest.raises(KeyError):
        start(b"GSSAPI")


def test_anonymous_says_what_it_likes() -> None:
    """RFC 4505: at once or after an empty challenge."""
    exchange = start(b"ANONYMOUS")
    assert exchange.step(None) == Challenge(b"")
    assert exchange.step(b"sirhc") == Nobody(b"sirhc")
    assert start(b"ANONYMOUS").step(b"") == Nobody(b"")


def test_external_leaves_it_to_tls() -> None:
    """RFC 4422 Appendix A: the response says on behalf of whom, if it says anything."""
    exchange = start(b"EXTERNAL")
    assert exchange.step(None) == Challenge(b"")
    assert exchange.step(b"") == Vouched(b"")
    assert start(b"EXTERNAL").step(b"other") == Vouched(b"other")
    with pytest.raises(MalformedResponse):
        start(b"EXTERNAL").step(b"oth\0er")


def test_cram_md5_of_the_rfc() -> None:
    """RFC 2195 §2: tim, tanstaaftanstaaf."""
    exchange = start(b"CRAM-MD5", nonce=b"1896.697170952", host=b"postoffice.reston.mci.net")
    assert exchange.step(None) == Challenge(b"<1896.697170952@postoffice.reston.mci.net>")
    assert exchange.step(b"tim b913a602c7eda7a495b4e6e7334d3890") == WantsStored(b"tim")
    assert exchange.with_stored(b"{PLAIN}tanstaaftanstaaf") == Proven()
    assert exchange.with_stored(b"{PLAIN}other") == Disproven()
    contexts = hmac_md5_contexts(b"tanstaaftanstaaf").hex().encode()
    assert exchange.with_stored(b"{CRAM-MD5}" + contexts) == Proven()
    assert exchange.with_stored(b"{hmac-md5}" + contexts.upper()) == Proven()
    assert exchange.with_stored(b"{CRAM-MD5}" + contexts[::-1]) == Disproven()
    assert exchange.with_stored(None) == Disproven()
    for useless in (b"{SHA512-CRYPT}$6$x", b"{CRAM-MD5}x", b"{CRAM-MD5}"):
        with pytest.raises(UnusableSecret):
            exchange.with_stored(useless)


RFC_7677 = "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="


def test_scram_sha_256_of_the_rfc() -> None:
    """RFC 7677 §3: user, pencil."""
    exchange = start(b"SCRAM-SHA-256", nonce=b"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
    assert exchange.step(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO") == WantsStored(b"user")
    assert exchange.with_stored(RFC_7677.encode()) == Challenge(
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    )
    final = b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    assert exchange.step(final) == Challenge(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    assert exchange.step(b"") == Proven()


def scram(stored: bytes | None, password: bytes, name: bytes = b"SCRAM-SHA-1", digest: str = "sha1") -> Step:
    """A whole exchange by a client that knows `password`."""
    exchange = start(name, nonce=b"server")
    assert exchange.step(b"n,,n=user,r=client") == WantsStored(b"user")
    first = exchange.with_stored(stored)
    assert isinstance(first, Challenge)
    nonce, salt, iterations = (part[2:] for part in first.data.split(b","))
    salted = hashlib.pbkdf2_hmac(digest, password, base64.b64decode(salt), int(iterations))
    without_proof = b"c=biws,r=" + nonce
    message = b",".join((b"n=user,r=client", first.data, without_proof))
    client_key = hmac.digest(salted, b"Client Key", digest)
    signature = hmac.digest(hashlib.new(digest, client_key).digest(), message, digest)
    proof = bytes(one ^ other for one, other in zip(client_key, signature, strict=True))
    return exchange.step(without_proof + b",p=" + base64.b64encode(proof))


def test_scram_with_passwords_in_the_clear() -> None:
    """Right, wrong, and a user who does not exist: the client sees no difference before the end."""
    assert isinstance(scram(b"{PLAIN}pencil", b"pencil"), Challenge)
    assert isinstance(scram(b"{PLAIN}pencil", b"pencil", b"SCRAM-SHA-256", "sha256"), Challenge)
    assert scram(b"{PLAIN}pencil", b"other") == Disproven()
    assert scram(None, b"") == Disproven()
    with pytest.raises(UnusableSecret):
        scram(b"{BLF-CRYPT}$2y$", b"pencil")


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"p=tls-unique,,n=user,r=x",
        b"n,,n=user",
        b"n,,n=,r=x",
        b"n,,r=x,n=user",
        b"n,,n=a=b,r=x",
        b"n,,n=user,r=",
    ],
)
def test_malformed_scram(first: bytes) -> None:
    """Channel binding is not offered; names are escaped; a nonce is not empty."""
    with pytest.raises(MalformedResponse):
        start(b"SCRAM-SHA-256").step(first)


def test_scram_refuses_a_changed_nonce_or_header() -> None:
    """The client-final-message has to repeat both."""
    for final in (b"c=biws,r=other,p=AAAA", b"c=eSws,r=xnonce,p=AAAA", b"c=biws,r=xnonce,p=AAAA", b"r=x"):
        exchange = start(b"SCRAM-SHA-1")
        exchange.step(b"n,,n=user,r=x")
        exchange.with_stored(b"{PLAIN}pencil")
        with pytest.raises(MalformedResponse):
            exchange.step(final)


def test_apop() -> None:
    """RFC 1939 §7's example; the timestamp has to be one of the server's own."""
    stamp, digest = b"<1896.697170952@dbc.mtview.ca.us>", bytes.fromhex("c4c9334bac560ecc979e58001b3e22fb")
    for stored, expected in ((b"{PLAIN}tanstaaf", Proven), (b"{PLAIN}other", Disproven), (None, Disproven)):
        mechanism = start(b"APOP", timestamp=b"<1896.")
        assert mechanism.step(b"%b\0mrose\0%b" % (stamp, digest)) == WantsStored(b"mrose")
        assert isinstance(mechanism.with_stored(stored), expected)
    with pytest.raises(UnusableSecret, match=r"stored as \{PLAIN\}"):
        mechanism.with_stored(b"{SHA256}x")
    for begin, response, reason in (
        (b"<1.", b"%b\0mrose\0%b" % (stamp, digest), "invalid challenge"),
        (b"", b"x\0mrose\0%b" % digest, "invalid challenge"),
        (b"<1896.", b"%b\0\0%b" % (stamp, digest), "Empty username"),
        (b"<1896.", b"%b\0mrose\0x" % stamp, "malformed data"),
        (b"<1896.", None, "malformed data"),
    ):
        with pytest.raises(MalformedResponse, match=reason):
            start(b"APOP", timestamp=begin).step(response)
