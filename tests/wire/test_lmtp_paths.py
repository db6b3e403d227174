"""Paths of RCPT and MAIL: what is one, and what Dovecot says of the others."""

import pytest

from pillarbox.wire.lmtp_paths import forward_path, reverse_path

GOOD = [
    (b"<a@b>", b"a", b"b"),
    (b"<a>", b"a", b""),
    (b"<.a..b.@c-_.d->", b".a..b.", b"c-_.d-"),
    (b'<"a b\\\\\\"@"@c>', b'a b\\"@', b"c"),
    (b'<"">', b"", b""),
    (b"<@r,@s.t:a@b>", b"a", b"b"),
    (b"<a@[192.0.2.255]>", b"a", b"[192.0.2.255]"),
    (b"<a@[IPv6:2001:db8::1]>", b"a", b"[IPv6:2001:db8::1]"),
    (b"<a@[x-y:z(]>", b"a", b"[x-y:z(]"),
]
BAD = [
    (b"<", "Invalid character in localpart"),
    (b"<(a)>", "Invalid character in localpart"),
    (b"<\xc3\xa4@b>", "Invalid character in localpart"),
    (b"<>", "Null path not allowed"),
    (b"<@r:>", "Path only consists of source route"),
    (b"<@(:a>", "Missing domain after '@' in source route"),
    (b"<@r,s:a>", "Missing '@' after ',' in source route"),
    (b"<@r>", "Missing ':' at end of source route"),
    (b'<"a', "Premature end of quoted string"),
    (b'<"a\tb"@c>', "Invalid character in quoted string"),
    (b"<a b>", "Missing '>' at end of path"),
    (b"<a", "Missing '>' at end of path"),
    (b"<a@>", "Missing domain after '@'"),
    (b"<a@", "Missing domain after '@'"),
    (b"<a@$>", "Invalid domain"),
    (b"<a@.b>", "Invalid domain"),
    (b"<a@b..c>", "Empty sub-domain"),
    (b"<a@b.", "Empty sub-domain"),
    (b"<a@b.>", "Invalid character in domain"),
    (b"<a@[]>", "Invalid address literal"),
    (b"<a@[x]>", "Invalid address literal"),
    (b"<a@[x:]>", "Empty address literal"),
    (b"<a@[192.0.2]>", "Invalid IPv4 address literal"),
    (b"<a@[192.0.2.256]>", "Invalid IPv4 address literal"),
    (b"<a@[IPv6::]>", "Invalid IPv6 address literal"),
    (b"<a@[192.0.2.1>", "Invalid character in address literal"),
    (b"<a@[x:y", "Missing ']' at end of address literal"),
]


@pytest.mark.parametrize(("text", "local_part", "domain"), GOOD, ids=[repr(row[0]) for row in GOOD])
def test_forward_paths(text: bytes, local_part: bytes, domain: bytes) -> None:
    """RFC 5321 §4.1.2, with dots and hyphens anywhere."""
    found = forward_path(text + b" X=y")
    assert (local_part, domain, len(text)) == (found.local_part, found.domain, found.end)
    assert text == b"<%b>" % found.path


@pytest.mark.parametrize(("text", "mistake"), BAD, ids=[repr(row[0]) for row in BAD])
def test_what_is_no_forward_path(text: bytes, mistake: str) -> None:
    """In Dovecot's words."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        forward_path(text)
    assert mistake == str(caught.value)


def test_reverse_paths() -> None:
    """Anything in one piece."""
    assert reverse_path(b"<>") == (b"", 2)
    assert reverse_path(b'<a"b@c> X') == (b'a"b@c', 7)
    assert reverse_path(b'<"a> b"@c>') == (b'"a> b"@c', 10)
    for broken in (b"<a b>", b"<a\tb>", b"<a", b'<"a>'):
        with pytest.raises(ValueError, match=r"Invalid|Missing|Premature"):
            reverse_path(broken)
