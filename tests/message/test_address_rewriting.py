"""Addresses in headers: completed, and the field written anew, as Debian's cleanup(8) does it.

test_random_rewriting_peer.py plays fields like these against it.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.message.address_rewriting import HeaderRewriting
from pillarbox.routing.rewriting import AddressRewriting

REWRITING = AddressRewriting(myorigin=b"origin.test", mydomain=b"domain.test", append_dot_mydomain=True)
HEADERS = HeaderRewriting(REWRITING.rewrite_text, REWRITING.rewrite_text)

CASES = [  # value, the same rewritten
    (b" a@b.test", b" a@b.test"),
    (b" root", b" root@origin.test"),
    (b" root (Cron Daemon)", b" root@origin.test (Cron Daemon)"),
    (b" (Cron (the) Daemon) root", b" root@origin.test (Cron (the) Daemon)"),
    (b" Root <root>", b" Root <root@origin.test>"),
    (b' "Root, of all" <root>, you@there', b' "Root, of all" <root@origin.test>, you@there.domain.test'),
    (b" a, b,\r\n\tc", b" a@origin.test, b@origin.test, c@origin.test"),
    (b" a@here", b" a@here.domain.test"),
    (b" a@[192.0.2.1]", b" a@[192.0.2.1]"),
    (b" friends: a, b@c.test;", b" friends: a@origin.test, b@c.test;"),
    (b" undisclosed-recipients:;", b" undisclosed-recipients:;"),
    (b" <@x,@y:a@here>", b" <a@here.domain.test>"),
    (b" @x,@y:a@b.test", b' ""@x.domain.test, a@b.test'),
    (b" @x:a@b.test, c@d.test", b" a@b.test, c@d.test"),
    (b" @x:a@here (no brackets)", b" a@here.domain.test (no brackets)"),
    (b" <a@b@c.test>", b' <"a@b"@c.test>'),
    (b" d.@b.test", b' "d."@b.test'),
    (b" u%b.test.", b" u@b.test"),
    (b" b.test.!u", b" u@b.test"),
    (b" a@b.test..", b" a@b.test.."),
    (b' "a b"', b' "a b"@origin.test'),
    (b' "a b"@here', b' "a b"@here.domain.test'),
    (b" site!user", b" user@site.domain.test"),
    (b" user%elsewhere.test", b" user@elsewhere.test"),
    (b" a.b@here . test", b" a.b@here . test"),
    (b" a@b.test.", b" a@b.test"),
    (b" two words", b" two@origin.test, words@origin.test"),
    (b" <>", b" <>"),
    (b"", b""),
    (b" ,,", b" ,,"),
    (b" <a", b' "<a"@origin.test'),
    (b' "open', b" open@origin.test"),
    (b" (open a", b" (open a"),
    (b' "no site, this!user"', b' "no site, this!user"@origin.test'),
    (b' "open: a, b@\xff.c:\x8d', b' "open: a, b@\xff.c:\x8d"@origin.test'),
    (b' a, "open b, c', b' a@origin.test, "open b, c"@origin.test'),
    ("é@ü".encode(), " é@ü.domain.test".encode()),
    # In quotes, ! and % mean nothing.
    (b' "a!b"', b" a!b@origin.test"),
    (b' "a%b"', b" a%b@origin.test"),
    (b' "a!b"@c.test', b" a!b@c.test"),
    (b' "a%b" <d%e>', b' "a%b" <d@e.domain.test>'),
    (b" d..ot@b.test", b' "d..ot"@b.test'),
    (b" a(b)c@d.test", b" a@origin.test, c@d.test (b)"),
    (b" <a (b) c@d>", b" <ac@d.domain.test (b)>"),
    (b' <"a"b@c.test>', b' <"a b"@c.test>'),
    (b" A  B\t<c>", b" A B <c@origin.test>"),
    (b" J.R. E. <c>", b" J.R.E. <c@origin.test>"),
    (b" A <b>, ,c", b" A <b@origin.test>, , c@origin.test"),
    (b" a;b", b" a@origin.test;, b@origin.test"),
    (b" a:b", b' "a:b"@origin.test'),
    (b" A: b, C <d>;, e", b" A: b@origin.test, C <d@origin.test>;, e@origin.test"),
    (b" A: <b>", b" A@origin.test: <b@origin.test>"),
    (b" a@b.test c", b" a@b.test, c@origin.test"),
    (b" a b>", b" ab@origin.test>"),
    (b' "" <a>', b' "" <a@origin.test>'),
    (b' "", a', b' "", a@origin.test'),
    (b" @, a", b' "", a@origin.test'),
    (b" a@, b", b" a@, b@origin.test"),
    (b" a\\ b@c.test", b" a\\ b@c.test"),
    (b" a\\ b@c", b' "a b"@c.domain.test'),
    (b" a\\", b" a@origin.test"),
    (b" a, b@[192.0.2.1, c", b" a@origin.test, b@[192.0.2.1, c]"),
    (b" a, (open, b", b" a@origin.test, (open, b"),
    (b" <a>, (two\r\n lines)", b" <a@origin.test>, (two  lines)"),
    (b" a!b!c", b" b!c@a.domain.test"),
    (b" a%b%c", b" a%b@c.domain.test"),
    (
        b" " + b", ".join(b"%s@here" % (b"user" * 3) for _ in range(4)),
        b" useruseruser@here.domain.test, useruseruser@here.domain.test,\r\n"
        b"\tuseruseruser@here.domain.test, useruseruser@here.domain.test",
    ),
    (b" a, %s <b>" % (b"x" * 90), b" a@origin.test,\r\n\t%s <b@origin.test>" % (b"x" * 90)),
    (b" a, %s <b>" % (b"x " * 130), b" a@origin.test, <b@origin.test>"),
]


@pytest.mark.parametrize(("value", "rewritten"), CASES, ids=[repr(row[0]) for row in CASES])
def test_fields(value: bytes, rewritten: bytes) -> None:
    """A field in which an address changes is written anew; another stays as it is."""
    assert HEADERS.field(b"to", value) == rewritten


def test_a_limit_of_tokens() -> None:
    """header_address_token_limit: what is behind it is cut off, if an address before it changes."""
    limited = HeaderRewriting(REWRITING.rewrite_text, REWRITING.rewrite_text, most_tokens=5)
    assert limited.field(b"to", b" a, b, c, d") == b" a@origin.test, b@origin.test, c@origin.test"
    assert limited.field(b"to", b" a@b.test, c@d.test") == b" a@b.test, c@d.test"
    assert limited.field(b"to", b" a@b.test, c@d") == b" a@b.test, c@d"


def test_too_much_beside_an_address_is_told_of() -> None:
    """CERT CA-2003-07."""
    told: list[str] = []
    rewriting = HeaderRewriting(REWRITING.rewrite_text, REWRITING.rewrite_text, warn=told.append)
    assert rewriting.field(b"to", b" a (%s), b" % (b"x" * 300)) == b" <a@origin.test>, b@origin.test"
    assert told == [f"stripping too many comments from address: a@origin.test ({'x' * 85}..."]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (b"from", b"sender"),
        (b"mail-followup-to", b"sender"),
        (b"return-receipt-to", b"sender"),
        (b"resent-sender", b"sender"),
        (b"to", b"recipient"),
        (b"resent-reply-to", b"recipient"),
        (b"delivered-to", b"a"),
        (b"x-return-receipt-to", b"a"),
    ],
)
def test_classes_of_fields(name: bytes, kind: bytes) -> None:
    """header_sender and header_recipient of sender_canonical_classes and its kin."""
    rewriting = HeaderRewriting(lambda _: "sender", lambda _: "recipient")
    assert rewriting.field(name, b" a") == b" " + kind


_PARTS = [b"a", b"@", b"b.c", b"<", b">", b",", b'"', b"(", b")", b":", b";", b" ", b"\\", b"[", b"]", b"!"]


@given(st.lists(st.sampled_from(_PARTS), max_size=12))
def test_any_text_is_a_field(parts: list[bytes]) -> None:
    """Nothing raises, and no field becomes two."""
    assert b"\n" not in HEADERS.field(b"to", b"".join(parts)).replace(b"\r\n\t", b"")
