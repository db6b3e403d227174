"""IMAP URLs of messages (RFC 5092)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.wire.imap.fetch_items import SectionPart
from pillarbox.wire.imap.imap_url import BadUrl, parse_message_url

GOOD = [
    (b"/INBOX/;UID=7", "INBOX", None, 7, b"BODY[]", None),
    (b"/INBOX;UIDVALIDITY=12/;UID=7", "INBOX", 12, 7, b"BODY[]", None),
    (b"/a%20b/c/;uid=7/;section=1.2.MIME", "a b/c", None, 7, b"BODY[1.2.MIME]", None),
    (b"/Gr%C3%BC%C3%9Fe/;UID=1/;SECTION=HEADER", "Grüße", None, 1, b"BODY[HEADER]", None),
    (b"/;UID=3/;SECTION=TEXT/;PARTIAL=5.10", "", None, 3, b"BODY[TEXT]", (5, 10)),
    (b"/INBOX/;UID=1/;PARTIAL=5", "INBOX", None, 1, b"BODY[]", (5, (1 << 63) - 1)),
    (b"/INBOX/;UID=1/;SECTION=HEADER.FIELDS%20(TO)", "INBOX", None, 1, b"BODY[HEADER.FIELDS (TO)]", None),
]
BAD = [
    (b"foo://bar", "Invalid IMAP URL: Not an IMAP URL"),
    (b"imap://host/INBOX/;UID=1", "Relative IMAP URL required"),
    (b"/INBOX", "Invalid IMAP URL: not the URL of a message"),
    (b"/INBOX/;UID=x", "Invalid IMAP URL: not the URL of a message"),
    (b"/%FF/;UID=1", "Invalid IMAP URL"),
    (b"/INBOX/;UID=1/;SECTION=FOO", "Invalid IMAP URL"),
    (b"", "Invalid IMAP URL: not the URL of a message"),
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
