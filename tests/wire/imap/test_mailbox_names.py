"""Modified UTF-7, both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillarbox.wire.imap.mailbox_names import decode, encode

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
