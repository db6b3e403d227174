"""Address fields as SEARCH sees them."""

import pytest

from pillarbox.message.address_text import address_text

# What stands in the field, and the text that is searched; each was asked of Dovecot 2.3.19 by SEARCH FROM.
FIELDS = [
    (b"user@domain.org", b"<user@domain.org>"),
    (b"<user (comment)@ (comment) domain.org>", b"<user@domain.org>"),
    (b"Real <user@domain.org>", b"Real <user@domain.org>"),
    (b"user@domain.org (Real)", b"Real <user@domain.org>"),
    (b"A B <x@y.z>", b'"A B" <x@y.z>'),
    (b'"A, B" <x@y.z>', b'"A, B" <x@y.z>'),
    (b'"x y"@dom.org', b'<"x y"@dom.org>'),
    (b"a.b@c, d@e", b"<a.b@c>, <d@e>"),
    (b"<@one,@two:u@d.e>", b"<@one,@two:u@d.e>"),
    (b"=?utf-8?q?J=C3=BCrgen?= <j@x.y>", b"=?utf-8?q?J=C3=BCrgen?= <j@x.y>"),
    (b"team: a@b, c@d;, z@q", b"team: <a@b>, <c@d>;, <z@q>"),
    (b"=?utf-8?q?J=C3=BCrgen?= Mann <j@x.y>", b"=?utf-8?q?J=C3=BCrgen?= Mann <j@x.y>"),
    (b"our =?utf-8?q?=C3=9Cbung?=: a@b;", b"our =?utf-8?q?=C3=9Cbung?=: <a@b>;"),
    (b'"" <a@b>', b"<a@b>"),
    (b".a..b.@c.d", b"<.a..b.@c.d>"),
    (b"undisclosed-recipients:;", b"undisclosed-recipients:;"),
    (b"a@b, nobody: ;, c@d", b"<a@b>, nobody:;, <c@d>"),
    (b"a@[1.2.3.4]", b"<a@[1.2.3.4]>"),
    (b"MAILER-DAEMON", b"<MAILER-DAEMON@MISSING_DOMAIN>"),
    (b"", b""),
]


@pytest.mark.parametrize(("value", "text"), FIELDS)
def test_every_address_is_written_the_same_way(value: bytes, text: bytes) -> None:
    """Comments go, names stand in front."""
    assert address_text(value) == text
