"""Addresses, dates and message ids, as mail has them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.message.message_ids import message_ids
from pillarbox.message.structured_fields import MailAddress, Moment, parse_addresses, parse_date

A = MailAddress
NO_DOMAIN = b"MISSING_DOMAIN"
NO_MAILBOX = b"MISSING_MAILBOX"

ADDRESSES = [
    ("bare", b"a@b.c", [A(None, None, b"a", b"b.c")]),
    ("name", b"Alice B. <a@b>", [A(b"Alice B.", None, b"a", b"b")]),
    ("quoted name", b'"Alice, B." <a@b>', [A(b"Alice, B.", None, b"a", b"b")]),
    ("escaped name", b'"A \\"B\\"" <a@b>', [A(b'A "B"', None, b"a", b"b")]),
    ("mixed words", b'Mail "x" Daemon <a@b>', [A(b"Mail x Daemon", None, b"a", b"b")]),
    ("name in comment", b"a@b (Alice (B.))", [A(b"Alice (B.)", None, b"a", b"b")]),
    ("comment before", b"(x) a@b", [A(None, None, b"a", b"b")]),
    ("two", b"a@b, c@d", [A(None, None, b"a", b"b"), A(None, None, b"c", b"d")]),
    ("quoted local part", b'"a b"@c', [A(None, None, b"a b", b"c")]),
    ("domain literal", b"a@[192.0.2.1]", [A(None, None, b"a", b"[192.0.2.1]")]),
    ("white space around dots", b"a .b@c . d", [A(None, None, b"a.b", b"c.d")]),
    ("route", b"<@r,@s:a@b>", [A(None, b"@r,@s", b"a", b"b")]),
    (
        "group",
        b"g: a@b, c@d;",
        [A(None, None, b"g"), A(None, None, b"a", b"b"), A(None, None, b"c", b"d"), A()],
    ),
    ("empty group", b"undisclosed-recipients:;", [A(None, None, b"undisclosed-recipients"), A()]),
    ("8-bit name", b"\xc3\xa9 <a@b>", [A(b"\xc3\xa9", None, b"a", b"b")]),
    ("encoded word stays", b"=?utf-8?q?x?= <a@b>", [A(b"=?utf-8?q?x?=", None, b"a", b"b")]),
    ("folded", b"a@b,\r\n c@d", [A(None, None, b"a", b"b"), A(None, None, b"c", b"d")]),
    ("no domain", b"a", [A(None, None, b"a", NO_DOMAIN)]),
    ("words only", b"a b", [A(b"a b", None, NO_MAILBOX, NO_DOMAIN)]),
    ("quoted word only", b'"q"', [A(b"q", None, NO_MAILBOX, NO_DOMAIN)]),
    ("null address", b"<>", [A(None, None, NO_MAILBOX, NO_DOMAIN)]),
    ("unclosed angle", b"x <a@b", [A(b"x", None, b"a", b"SYNTAX_ERROR")]),
    ("bad route", b"<@a>", [A(None, b"INVALID_ROUTE", NO_MAILBOX, NO_DOMAIN)]),
    ("dot at end of domain", b"a@b.", [A(None, None, b"a", NO_DOMAIN)]),
    ("a dot, then a blank", b"a. b@c", [A(b"a.  b", None, NO_MAILBOX, NO_DOMAIN)]),
    ("a dot, then a comment", b"a.(b)@c", [A(None, None, NO_MAILBOX, NO_DOMAIN)]),
    ("a dot, then a blank, in brackets", b"x <a. @c>", [A(b"x", None, NO_MAILBOX, b"SYNTAX_ERROR")]),
    ("a bracket in a domain literal", b"a@[b[c]", [A(None, None, b"a", NO_DOMAIN)]),
    ("a folded domain literal", b"a@[b\r\n c]", [A(None, None, b"a", b"[b c]")]),
    ("a backslash at a line's end", b'"a\\\r\n b"@c', [A(None, None, b"a\\ b", b"c")]),
    ("a backslash before NUL", b'"a\\\0"@c (d\\\0)', [A(b"d\\\0", None, b"a\\\0", b"c")]),
    ("quotes that do not close", b'a "b\r\n c', [A(b"a b", None, NO_MAILBOX, NO_DOMAIN)]),
    ("a comment that does not close", b"a@b (c\r\n d", [A(b"c", None, b"a", NO_DOMAIN)]),
    ("nothing in quotes that do not close", b'a b "', [A(b"a b ", None, NO_MAILBOX, NO_DOMAIN)]),
    (
        "a group with words that are no address",
        b"g: a, b c, d@e;",
        [
            *(A(None, None, b"g"), A(None, None, b"a", NO_DOMAIN), A(b"b c", None, NO_MAILBOX, NO_DOMAIN)),
            *(A(None, None, b"d", b"e"), A()),
        ],
    ),
    ("dots in local part", b".a..b.@c", [A(None, None, b".a..b.", b"c")]),
    (
        "empty between commas",
        b"a@b,,c@d",
        [A(None, None, b"a", b"b"), A(None, None, NO_MAILBOX, NO_DOMAIN), A(None, None, b"c", b"d")],
    ),
    ("unclosed comment", b"(x", []),
    ("nothing", b"  ", []),
    ("unclosed quote", b'"a', [A(None, None, NO_MAILBOX, NO_DOMAIN)]),
    ("garbage after", b"<a@b> c, d@e", [A(None, None, b"a", b"b")]),
]


@pytest.mark.parametrize(("name", "value", "expected"), ADDRESSES, ids=[row[0] for row in ADDRESSES])
def test_addresses(name: str, value: bytes, expected: list[MailAddress]) -> None:
    """RFC 5322 §3.4, with Dovecot's words for what is missing."""
    assert expected == parse_addresses(value)


@given(
    st.lists(st.sampled_from([b"a", b"@", b"<", b">", b",", b";", b":", b'"', b"(", b")", b"\\", b".", b" "]))
)
def test_any_value_has_an_answer(pieces: list[bytes]) -> None:
    """Broken input never raises, and every address is filled in or is a group's end."""
    for address in parse_addresses(b"".join(pieces)):
        assert address.mailbox is not None or address == A()


@given(st.from_regex(rb"[a-z.]{1,8}@[a-z]{1,4}(\.[a-z]{1,4})?", fullmatch=True))
def test_quick_way_and_full_way_agree(address: bytes) -> None:
    """What the fast pattern takes, the full parser reads alike."""
    comment = parse_addresses(b"()" + address)
    assert comment == parse_addresses(address)


DATES = [
    ("usual", b"Fri, 21 Nov 1997 09:55:06 -0600", Moment(880127706, -360)),
    ("no weekday, no seconds", b"21 Nov 1997 15:55 +0000", Moment(880127700, 0)),
    ("obsolete zone", b"21 Nov 97 09:55:06 GMT", Moment(880106106, 0)),
    ("obsolete EST", b"21 Nov 97 04:55:06 EST", Moment(880106106, -300)),
    ("comment", b"Fri, 21 Nov 1997 09(comment):55:06 -0600 (CST)", Moment(880127706, -360)),
    ("two-digit year below 50", b"1 Jan 24 00:00:00 +0000", Moment(1704067200, 0)),
    ("three-digit year", b"1 Jan 124 00:00:00 +0000", Moment(1704067200, 0)),
    ("no zone", b"1 Jan 2024 00:00:00", Moment(1704067200, 0)),
    ("odd zone", b"1 Jan 2024 05:30:00 +0530", Moment(1704067200, 330)),
    ("dots, as some write", b"1 Jan 2024 00.00.00 +0000", Moment(1704067200, 0)),
    ("leap second", b"Tue, 30 Jun 2015 23:59:60 +0000", Moment(1435708799, 0)),
    ("no date", b"yesterday", None),
    ("no such month", b"1 Foo 2024 00:00:00 +0000", None),
    ("no such hour", b"1 Jan 2024 25:00:00 +0000", None),
    ("no such day", b"29 Feb 2023 10:00:00 +0000", None),
    ("a leap day", b"29 Feb 2024 00:00:00 +0000", Moment(1709164800, 0)),
    ("an hour of one digit", b"1 Jan 2024 0:00:00 +0000", Moment(1704067200, 0)),
    ("minutes of one digit", b"1 Jan 2024 0:0:00 +0000", None),
    ("empty", b"", None),
]


@pytest.mark.parametrize(("name", "value", "expected"), DATES, ids=[row[0] for row in DATES])
def test_dates(name: str, value: bytes, expected: Moment | None) -> None:
    """RFC 5322 §3.3 and the obsolete forms of §4.3."""
    assert expected == parse_date(value)


MESSAGE_IDS: list[tuple[bytes, list[bytes]]] = [
    (b"<a@b> (comment)\r\n <c@d> junk", [b"a@b", b"c@d"]),
    (b"none", []),
    (b"<a> <> <c@D>", [b"c@D"]),
    (b'<"a"@b> <a@b (x)> <(x) a@b> <a@\n b>', [b"a@b"] * 4),
    (b'<"a b"@c> <a b@c>', [b"a\x1fb@c", b"ab@c"]),
    (b'<"a"b@c> <"a@b"> <1."2"@c> <d@e>', [b"d@e"]),
    (b'<"q<a@b>', [b"a@b"]),
    (b"<q(<a@b>", [b"a@b"]),
    (b"<a@[1.2]> <@b> <\xe4@b>", [b"a@[1.2]", b"@b", b"\xe4@b"]),
    (b"<a@b", []),
    (b'<a@b "', []),
    (b"<" * 1_000_000, []),
    (b"<a@" * 300_000 + b"b>", [b"a@" + b"<a@" * 299_999 + b"b"]),
    (b"<a@b> " + b"<(" * 500_000 + b">", [b"a@b"]),
    (b"<(<c@d> " * 100 + b"<e@f>", [b"c@d"] * 19),
]


@pytest.mark.parametrize(("value", "expected"), MESSAGE_IDS)
def test_message_ids(value: bytes, expected: list[bytes]) -> None:
    """One form for all spellings; what is no id is skipped."""
    assert expected == message_ids(value)


@given(st.text(alphabet='<>@a. "(\t\x0b\x1f', max_size=12).map(str.encode))
def test_one_id_is_found_as_many_are(value: bytes) -> None:
    """Whether or not others stand around it."""
    if b"(" not in value and b'"' not in value:
        assert [b"x@y", *message_ids(value)] == message_ids(b"<x@y>" + value)
