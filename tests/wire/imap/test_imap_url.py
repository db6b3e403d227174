"""IMAP URLs of messages (RFC 5092)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.wire.imap.fetch_items import SectionPart
from pillarbox.wire.imap.imap_url import BadUrl, parse_authorized_url, parse_message_url

GOOD = [
    (b"/INBOX/;UID=7", "INBOX", None, 7, b"BODY[]", None),
    (b"/INBOX;UIDVALIDITY=12/;UID=7", "INBOX", 12, 7, b"BODY[]", None),
    (b"/a/b/;UIDVALIDITY=12/;UID=7/;PARTIAL=0.01", "a/b", 12, 7, b"BODY[]", (0, 1)),
    (b"/a%20b/c/;uid=7/;section=1.2.MIME", "a b/c", None, 7, b"BODY[1.2.MIME]", None),
    (b"/Gr%C3%BC%C3%9Fe/;UID=1/;SECTION=HEADER", "Grüße", None, 1, b"BODY[HEADER]", None),
    (b";UID=3/;SECTION=2", "", None, 3, b"BODY[2]", None),
    (b";uid=3", "", None, 3, b"BODY[]", None),
    (b"/;UID=3/;SECTION=TEXT/;PARTIAL=5.10", "", None, 3, b"BODY[TEXT]", (5, 10)),
    (b"/INBOX/;UID=1/;PARTIAL=5", "INBOX", None, 1, b"BODY[]", (5, (1 << 63) - 1)),
    (b"/INBOX/;UID=1/;SECTION=HEADER.FIELDS%20(TO)", "INBOX", None, 1, b"BODY[HEADER.FIELDS (TO)]", None),
]
BAD = [
    (b"foo://bar", "Invalid IMAP URL: Not an IMAP URL"),
    (b"imap://host/INBOX/;UID=1", "Invalid IMAP URL: Relative URL required"),
    (b"/INBOX", "Invalid IMAP URL: not the URL of a message"),
    (b"/INBOX/;UID=x", "Invalid IMAP URL: not the URL of a message"),
    (b"/INBOX/;UID=1/;PARTIAL=1.0", "Invalid IMAP URL: not the URL of a message"),
    (b"/%FF/;UID=1", "Invalid IMAP URL"),
    (b"/INBOX/;UID=1/;SECTION=FOO", "Invalid IMAP URL"),
    (b"", "Invalid IMAP URL: not the URL of a message"),
    (b"//mail.test/INBOX/;UID=1", "Invalid IMAP URL: Relative URL required"),
]


@pytest.mark.parametrize(("text", "mailbox", "validity", "uid", "label", "partial"), GOOD)
def test_urls(
    text: bytes, mailbox: str, validity: int | None, uid: int, label: bytes, partial: tuple[int, int] | None
) -> None:
    """Mailbox, message, section and range."""
    url = parse_message_url(text)
    assert (mailbox, validity, uid) == (url.mailbox, url.uid_validity, url.uid)
    assert (label, partial) == (url.section.label, url.section.partial)
    assert isinstance(url.section.part, SectionPart)


RELATIVE = [
    (b";UID=1", "a;b/c", "a;b/c"),
    (b";UID=1", "", ""),
    (b"/;UID=1", "a", ""),
    (b"./;UID=1", "a", "a"),
    (b"b/;UID=1", "a", "a/b"),
    (b"../b/./c;UIDVALIDITY=1/;UID=1", "a", "b/c"),
    (b"../../../b/;UID=1", "a", "b"),
    (b"/x/../b/;UID=1", "a", "b"),
]
"""A URL, the mailbox that is selected, and whose message it names."""


@pytest.mark.parametrize(("text", "selected", "mailbox"), RELATIVE)
def test_relative_urls(text: bytes, selected: str, mailbox: str) -> None:
    """What does not begin with a slash begins at the selected mailbox."""
    assert parse_message_url(text, selected).mailbox == mailbox


@pytest.mark.parametrize(("text", "reason"), BAD)
def test_bad_urls(text: bytes, reason: str) -> None:
    """With a reason for the client."""
    with pytest.raises(BadUrl, match=reason):
        parse_message_url(text)


@given(st.binary(max_size=60))
def test_anything_is_a_url_or_not(text: bytes) -> None:
    """Only the documented exception escapes."""
    try:
        parse_message_url(b"/INBOX/;UID=1/" + text)
    except BadUrl:
        return


JOE = b"imap://joe@example.com/INBOX/;uid=20/;section=1.2"
TOKEN = b"01" * 21
AUTHORIZED: list[tuple[bytes, tuple[object, ...]]] = [
    (JOE + b";urlauth=submit+fred", ("joe", "example.com", None, "submit", "fred", None, False)),
    (
        b"IMAP://a%40b@[::1]:993/x/;UID=1;URLAUTH=authuser",
        ("a@b", "[::1]", 993, "authuser", None, None, False),
    ),
    (
        b"imap://joe;AUTH=*@h/x/;UID=1;EXPIRE=1970-01-01T01:00:05.5+01:00;URLAUTH=anonymous:INTERNAL:"
        + TOKEN,
        ("joe", "h", None, "anonymous", None, 5.0, True),
    ),
    (
        b"imap://h/x/;UID=1;EXPIRE=1969-12-31t23:59:58z;URLAUTH=user+x",
        ("", "h", None, "user", "x", -2.0, False),
    ),
]


@pytest.mark.parametrize(("text", "expected"), AUTHORIZED)
def test_authorized_urls(text: bytes, expected: tuple[object, ...]) -> None:
    """RFC 4467 §9."""
    url = parse_authorized_url(text)
    assert url is not None
    found = (
        url.user,
        url.host,
        url.port,
        url.application,
        url.access_user,
        url.expires,
        url.verifier is not None,
    )
    assert found == expected
    assert text.startswith(url.rump)
    assert text[len(url.rump) :] in (b"", b":INTERNAL:" + TOKEN)


@pytest.mark.parametrize(
    "text",
    [
        JOE,
        b"imap://h",
        b"imap://h/",
        b"imap://h/x",
        b"imap://h/;UID=1;URLAUTH=anonymous",
        b"imap://h/x/;UID=0;URLAUTH=a",
    ],
)
def test_urls_without_authorization(text: bytes) -> None:
    """Or without a message."""
    assert parse_authorized_url(text) is None


@pytest.mark.parametrize(
    "end",
    [
        b";EXPIRE=2030-01-01T00:00:00Z",
        b";EXPIRE=2030-02-30T00:00:00Z;URLAUTH=anonymous",
        b";EXPIRE=2030-01-01 00:00:00Z;URLAUTH=anonymous",
        b";EXPIRE=2030-01-01T00:00:00;URLAUTH=anonymous",
        b";EXPIRE=0001-01-01T00:00:00+23:59;URLAUTH=anonymous",
        b";URLAUTH=anonymous;EXPIRE=2030-01-01T00:00:00Z",
        b";URLAUTH=a b",
        b";URLAUTH=user+%FF",
        b";FOO=1;URLAUTH=anonymous",
    ],
)
def test_bad_authorized_urls(end: bytes) -> None:
    """What is wrong with them is told."""
    with pytest.raises(BadUrl):
        parse_authorized_url(JOE + end)


@given(st.binary(max_size=80), st.sampled_from((b"", b"imap:", JOE, JOE + b";URLAUTH=", b"imap://")))
def test_anything_is_an_authorized_url_or_not(text: bytes, start: bytes) -> None:
    """Only the documented exception escapes; the rump is a beginning of the URL."""
    try:
        url = parse_authorized_url(start + text)
    except BadUrl:
        return
    assert url is None or (start + text).startswith(url.rump)
