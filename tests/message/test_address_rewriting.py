"""Addresses in headers: completed where they stand, and nothing else touched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.message.address_rewriting import HeaderRewriting, rewrite_field
from pillarbox.routing.rewriting import AddressRewriting
from pillarbox.vocabulary.address import Address

REWRITING = AddressRewriting(myorigin=b"origin.test", mydomain=b"domain.test", append_dot_mydomain=True)

CASES = [  # value, the same rewritten
    (b" a@b.test", b" a@b.test"),
    (b" root", b" root@origin.test"),
    (b" root (Cron Daemon)", b" root@origin.test (Cron Daemon)"),
    (b" (Cron (the) Daemon) root", b" (Cron (the) Daemon) root@origin.test"),
    (b" Root <root>", b" Root <root@origin.test>"),
    (b' "Root, of all" <root>, you@there', b' "Root, of all" <root@origin.test>, you@there.domain.test'),
    (b" a, b,\r\n\tc", b" a@origin.test, b@origin.test,\r\n\tc@origin.test"),
    (b" a@here", b" a@here.domain.test"),
    (b" a@[192.0.2.1]", b" a@[192.0.2.1]"),
    (b" friends: a, b@c.test;", b" friends: a@origin.test, b@c.test;"),
    (b" undisclosed-recipients:;", b" undisclosed-recipients:;"),
    (b" <@x,@y:a@here>", b" <a@here.domain.test>"),
    (b" @x,@y:a@b.test", b" @x,a@b.test"),
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
    (b" two words", b" two words"),
    (b" <>", b" <>"),
    (b"", b""),
    (b" ,,", b" ,,"),
    (b" <a", b" <a"),
    (b' "open', b' "open'),
    (b" (open a", b" (open a"),
    (b' "no site, this!user"', b' "no site, this!user"@origin.test'),
    (b' "open: a, b@\xff.c:\x8d,&: n, b@y', b' "open: a, b@\xff.c:\x8d,&: n, b@y'),
    (b' a, "open b, c', b' a@origin.test, "open b, c'),
    ("é@ü".encode(), "é@ü.domain.test".encode()),
]


@pytest.mark.parametrize(("value", "rewritten"), CASES, ids=[repr(row[0]) for row in CASES])
def test_fields(value: bytes, rewritten: bytes) -> None:
    """ADDRESS_REWRITING_README; display names, comments and folding stay."""
    assert rewrite_field(value, REWRITING.rewrite) == rewritten
    assert rewrite_field(rewritten, REWRITING.rewrite) == rewritten


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
    rewriting = HeaderRewriting(lambda _: Address(b"sender", b""), lambda _: Address(b"recipient", b""))
    assert rewriting.field(name, b" a") == b" " + kind


@given(
    st.lists(
        st.sampled_from(
            [
                b"a",
                b"@",
                b"b.c",
                b"<",
                b">",
                b",",
                b'"',
                b"(",
                b")",
                b":",
                b";",
                b" ",
                b"\\",
                b"[",
                b"]",
                b"!",
            ]
        ),
        max_size=12,
    )
)
def test_any_text_is_a_field(parts: list[bytes]) -> None:
    """Nothing raises, and what has been rewritten stays as it is."""
    once = rewrite_field(b"".join(parts), REWRITING.rewrite)
    assert rewrite_field(once, REWRITING.rewrite) == once
