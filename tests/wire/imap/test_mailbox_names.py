"""Modified UTF-7 and UTF-8, both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.wire.imap.mailbox_names import decode, decode_utf8, encode, encode_utf8, is_net_unicode

CASES = [
    # name on the wire, name
    (b"INBOX", "INBOX"),
    (b"Sent", "Sent"),
    (b"&-", "&"),
    (b"AT&-T", "AT&T"),
    (b"Entw&APw-rfe", "Entwürfe"),
    (b"~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"),  # RFC 3501 §5.1.3
    (b"&2D3eAA-", "\N{GRINNING FACE}"),
    (b"&AAo-", "\n"),
]


@pytest.mark.parametrize(("wire", "name"), CASES)
def test_names_go_both_ways(wire: bytes, name: str) -> None:
    """What the decoder reads is what the encoder writes."""
    assert name == decode(wire)
    assert wire == encode(name)


@pytest.mark.parametrize("wire", [b"inbox", b"InBoX"])
def test_inbox_in_any_case(wire: bytes) -> None:
    """RFC 3501 §5.1: "The case-insensitive mailbox name INBOX is a special name"."""
    assert decode(wire) == "INBOX"
    assert decode(wire + b"/x") == "INBOX/x"
    assert decode(wire + b"x") == wire.decode() + "x"


WRONG = [
    ("an ampersand alone", b"a&b"),
    ("a run that does not end", b"&APw"),
    ("8-bit", "ü".encode()),
    ("a control character", b"a\tb"),
    ("what need not be encoded", b"&AGE-"),
    ("runs that touch", b"&APw-&APw-"),
    ("bits behind the last letter", b"&APx-"),
    ("half a surrogate pair", b"&2D0-"),
    ("no base64", b"&A-"),
]


@pytest.mark.parametrize("wire", [row[1] for row in WRONG], ids=[row[0] for row in WRONG])
def test_no_second_spelling_is_taken(wire: bytes) -> None:
    """Two names on the wire never mean one mailbox."""
    with pytest.raises(ValueError, match="mailbox name"):
        decode(wire)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_name_comes_back(name: str) -> None:
    """Decoding undoes encoding; INBOX is the one exception."""
    back = decode(encode(name))
    assert back == name or name[:5].upper() == "INBOX"


@given(st.binary(max_size=20))
def test_any_octets_are_a_name_or_a_fault(wire: bytes) -> None:
    """Nothing but ValueError comes out of octets from the network."""
    try:
        assert encode(decode(wire))[5:] == wire[5:]
    except ValueError:
        pass


@pytest.mark.parametrize(
    ("wire", "name"),
    [
        ("Entwürfe & mehr".encode(), "Entwürfe & mehr"),
        (b"inbox/x", "INBOX/x"),
        ("inbox/ü".encode(), "INBOX/ü"),
        (b"A&-", "A&-"),
    ],
)
def test_names_in_utf8(wire: bytes, name: str) -> None:
    """RFC 9051 §5.1: as they are, but for INBOX."""
    assert name == decode_utf8(wire)
    assert encode_utf8(name)[5:] == wire[5:]


@pytest.mark.parametrize("wire", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"a\nb", b"\xc2\x80", b"a\x7f"])
def test_what_is_no_utf8_or_has_controls(wire: bytes) -> None:
    """Octets that are no text, half characters, surrogates, C0 and C1."""
    with pytest.raises(ValueError):  # noqa: PT011 - the codec's own texts among them
        decode_utf8(wire)


def test_new_names_are_net_unicode() -> None:
    """RFC 5198 §2: composed, no line and paragraph separators."""
    assert is_net_unicode("\u00e9")
    assert not is_net_unicode("e\u0301")
    assert not is_net_unicode("a\u2028")


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_any_name_comes_back_in_utf8(name: str) -> None:
    """Decoding undoes encoding; INBOX is the one exception."""
    back = decode_utf8(encode_utf8(name))
    assert back == name or name[:5].upper() == "INBOX"
