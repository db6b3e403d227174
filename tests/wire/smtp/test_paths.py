"""Words of a line, names of hosts, and address literals."""

import pytest

from pillarbox.vocabulary.address import MAX_DOMAIN
from pillarbox.wire.smtp.paths import address_of_literal, is_address, is_address_literal, is_host_name, words

WORDS = [
    (b"", []),
    (b" \t ", []),
    (b"MAIL FROM:<a@b.c> SIZE=1", [b"MAIL", b"FROM:", b"<a@b.c>", b"SIZE=1"]),
    (b"RCPT to: a@b.c", [b"RCPT", b"to:", b"a@b.c"]),
    (b"xTO:<a> x:y", [b"xTO:<a>", b"x:y"]),
    (b'"a<b" c', [b'"a<b"', b"c"]),
    (b'"a b"c d', [b'"a b"c', b"d"]),
    (b'<"a>b"@c> d', [b'<"a>b"@c>', b"d"]),
    (b"<a <b> c> d", [b"<a <b> c>", b"d"]),
    (b"a\\ b c", [b"a\\ b", b"c"]),
    (b"<a\\> b> c", [b"<a\\> b>", b"c"]),
    (b"a\\", [b"a\\"]),
    (b"<a>", [b"<a>"]),
    (b"a:TO:b", [b"a:TO:b"]),
]


@pytest.mark.parametrize(("line", "expected"), WORDS)
def test_words(line: bytes, expected: list[bytes]) -> None:
    """Blanks part them outside brackets and quotes, and a colon after FROM and TO does."""
    assert words(line) == [(word, True) for word in expected]


@pytest.mark.parametrize("end", [b"<a b", b'"a b', b'"a\\"', b'"a\\', b"<a <b> c", b'<"a>'])
def test_an_open_bracket_or_quote(end: bytes) -> None:
    """The rest of the line is a word that is not complete."""
    assert words(b"x " + end) == [(b"x", True), (end, False)]


LABEL = b"x" * 63
LONGEST = b".".join([LABEL] * 3 + [b"y" * 61, b"z"])
assert len(LONGEST) == MAX_DOMAIN


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"a", True),
        (b"A-1.b_c.D", True),
        (b"1.2.a", True),
        (LABEL, True),
        (LABEL + b"x", False),
        (LONGEST, True),
        (LONGEST.replace(b"y.", b"yy."), False),
        (b"", False),
        (b"12", False),
        (b"1.2.3.4", False),
        (b"a..b", False),
        (b".a", False),
        (b"a.", False),
        (b"a.-b", False),
        (b"b-.a", False),
        (b"a b", False),
    ],
)
def test_host_names(name: bytes, expected: bool) -> None:
    """RFC 1123 §2.1, with underscores."""
    assert is_host_name(name) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"192.0.2.1", True),
        (b"192.000.002.001", True),
        (b"255.255.255.255", True),
        (b"1.0.0.0", True),
        (b"0.0.0.0", True),
        (b"0.1.2.3", False),
        (b"1.2.3.256", False),
        (b"1.2.3", False),
        (b"1.2.3.4.5", False),
        (b"a.b.c.d", False),
        (b"::1", True),
        (b"2001:db8::1", True),
        (b"fe80::1%lo", False),
        (b"1:2", False),
    ],
)
def test_addresses(text: bytes, expected: bool) -> None:
    """Zeros may stand before a number (RFC 5321 §4.1.3)."""
    assert is_address(text) is expected


@pytest.mark.parametrize(
    ("literal", "address"),
    [
        ("[192.0.002.001]", "192.0.2.1"),
        ("[IPv6:2001:db8::1]", "2001:db8::1"),
        ("[ipv6:::1]", "::1"),
        ("[::1]", ""),
        ("[IPv6:192.0.2.1]", ""),
        ("[192.0.2.256]", ""),
        ("[192.0.2.1", ""),
        ("192.0.2.1]", ""),
        ("[192.0.2.1x", ""),
        ("x192.0.2.1]", ""),
        ("[x]", ""),
        ("[]", ""),
    ],
)
def test_address_literals(literal: str, address: str) -> None:
    """RFC 5321 §4.1.3; one of IPv6 says so."""
    assert address_of_literal(literal) == address
    assert is_address_literal(literal.encode()) is bool(address)
