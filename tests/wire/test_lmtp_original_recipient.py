"""ORCPT of LMTP's RCPT; each value was told to Dovecot 2.3.19."""

import pytest

from pillarbox.wire.lmtp_original_recipient import original_recipient

ADDRESSES = [
    (b"rfc822;a@b", b"a@b"),
    (b"RFC822;a+2Bb+40C.d", b"a+b@C.d"),
    (b"rfc822;a", b"a"),
    (b"rfc822;a@", b"a"),
    (b"rfc822;N+20<a@b>", b"a@b"),
    (b"rfc822;+22a+20b+22@c", b'"a b"@c'),
    (b"rfc822;.a@b", b'".a"@b'),
    (b"utf-8;\\x{e4}@b", b""),
    (b"x400;whatever", b""),
]
FAULTS = [
    (None, "Missing ORCPT= parameter value"),
    (b"", "Invalid addr-type for ORCPT= parameter"),
    (b"x", "Invalid addr-type for ORCPT= parameter"),
    (b";x", "Invalid addr-type for ORCPT= parameter"),
    (b"x.y;a", "Invalid addr-type for ORCPT= parameter"),
    (b"rfc822;", "Invalid ORCPT= parameter: Empty address value"),
    (b"rfc822;a+4", "Invalid ORCPT= parameter: Invalid hexchar after '+' in xtext"),
    (b"rfc822;a+2b@c", "Invalid ORCPT= parameter: Invalid hexchar after '+' in xtext"),
    (b"rfc822;a+0A@b", "Invalid ORCPT= address value: Contains non-printable characters"),
    (b"x;a+80", "Invalid ORCPT= address value: Contains non-printable characters"),
    (b"rfc822;@b", "Invalid ORCPT= address value: Invalid RFC822 address"),
    (b"rfc822;a@b,c@d", "Invalid ORCPT= address value: Invalid RFC822 address"),
    (b"rfc822;g:a@b;", "Invalid ORCPT= address value: Invalid RFC822 address"),
    (b"rfc822;+20", "Invalid ORCPT= address value: Invalid RFC822 address"),
]


@pytest.mark.parametrize(("value", "address"), ADDRESSES)
def test_addresses(value: bytes, address: bytes) -> None:
    """Decoded, in the form in which Delivered-To: has it."""
    assert original_recipient(value) == address


@pytest.mark.parametrize(("value", "fault"), FAULTS)
def test_faults(value: bytes | None, fault: str) -> None:
    """The reply says what is wrong."""
    with pytest.raises(ValueError, match="ORCPT") as raised:
        original_recipient(value)
    assert str(raised.value) == fault
