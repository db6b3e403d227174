"""XCLIENT and XFORWARD: which attributes are taken, and what is said of the others.  As Postfix 3.7 does it."""

import pytest

from pillarbox.wire.smtp.forwarded_attributes import (
    NOT_NOW,
    XCLIENT,
    XFORWARD,
    BadAttribute,
    parse_attributes,
)

TAKEN = [
    (b"XCLIENT", b"ADDR=192.0.2.1 name=a.test", {b"ADDR": b"192.0.2.1", b"NAME": b"a.test"}),
    (b"XCLIENT", b"ADDR=ipv6:2001:DB8::1", {b"ADDR": b"2001:db8::1"}),
    (b"XCLIENT", b"ADDR=IPV6:::ffff:192.0.2.1", {b"ADDR": b"192.0.2.1"}),
    (b"XCLIENT", b"ADDR=IPV6:::192.0.2.1", {b"ADDR": b"::192.0.2.1"}),
    (b"XCLIENT", b"ADDR=[UNAVAILABLE] NAME=[tempunavail]", {b"ADDR": None, b"NAME": NOT_NOW}),
    (b"XCLIENT", b"HELO=[TEMPUNAVAIL] LOGIN=a+20b", {b"HELO": b"[TEMPUNAVAIL]", b"LOGIN": b"a b"}),
    (b"XFORWARD", b"PROTO=LMTP SOURCE=[UNAVAILABLE]", {b"PROTO": b"LMTP", b"SOURCE": None}),
]
REFUSED = [
    (b"XCLIENT", b"FOO", b"Error: attribute=value expected"),
    (b"XCLIENT", b"HELO=", b"Error: attribute=value expected"),
    (b"XCLIENT", b"FOO=x", b"Bad XCLIENT attribute name: FOO"),
    (b"XCLIENT", b"HELO=" + b"a" * 256, b"Error: attribute value too long"),
    (b"XCLIENT", b"ADDR=2001:db8::1", b"Bad ADDR syntax: 2001:db8::1"),
    (b"XCLIENT", b"ADDR=IPV6:192.0.2.1", b"Bad ADDR syntax: IPV6:192.0.2.1"),
    (b"XCLIENT", b"ADDR=IPV6:fe80::1%lo", b"Bad ADDR syntax: IPV6:fe80::1%lo"),
    (b"XCLIENT", b"ADDR=[TEMPUNAVAIL]", b"Bad ADDR syntax: [TEMPUNAVAIL]"),
    (b"XCLIENT", b"PROTO=[UNAVAILABLE]", b"Bad PROTO syntax: [UNAVAILABLE]"),
    (b"XFORWARD", b"NAME=[TEMPUNAVAIL]", b"Bad NAME syntax: [TEMPUNAVAIL]"),
    (b"XFORWARD", b"LOGIN=x", b"Bad XFORWARD attribute name: LOGIN"),
]


def parsed(verb: bytes, words: bytes) -> dict[bytes, bytes | None]:
    """What the words behind a verb say."""
    return parse_attributes(words.split(), XCLIENT if verb == b"XCLIENT" else XFORWARD, verb=verb)


@pytest.mark.parametrize(("verb", "words", "expected"), TAKEN)
def test_taken(verb: bytes, words: bytes, expected: dict[bytes, bytes | None]) -> None:
    """Values, and None where the proxy knows none."""
    assert expected == parsed(verb, words)


@pytest.mark.parametrize(("verb", "words", "text"), REFUSED)
def test_refused(verb: bytes, words: bytes, text: bytes) -> None:
    """In Postfix's words."""
    with pytest.raises(BadAttribute) as caught:
        parsed(verb, words)
    assert text == caught.value.text
