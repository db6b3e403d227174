"""An address field as one text that can be searched.

DESCRIPTION
    `SEARCH FROM` looks for what a person sees, not for how the sender's program wrote it: comments, folding and
    quoting differ between programs, and a name may stand before the address or behind it.  So every address
    becomes `Name <mailbox@domain>`, as in Dovecot, and the text is searched in that.

STANDARDS
    RFC 5322 §3.4; RFC 3501 §6.4.4 (BCC, CC, FROM, TO)
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from pillarbox.message.structured_fields import MailAddress, parse_addresses

_ATOM: Final = re.compile(rb"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~\x80-\xff]+")
_DOTTED: Final = re.compile(rb"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.\x80-\xff]+")
"""A mailbox that is written without quotes, wherever its dots are."""


def address_text(value: bytes) -> bytes:
    """`Name <mailbox@domain>, group: <other@domain>, nobody:;` for an unfolded field; encoded words stay so."""
    return b"".join(_texts(parse_addresses(value)))


def _texts(addresses: Iterable[MailAddress]) -> Iterator[bytes]:
    in_group = False
    separator = b""
    for address in addresses:
        if address.domain is None and address.name is None and address.route is None:
            if not in_group and address.mailbox is not None:
                yield separator + _phrase(address.mailbox) + b":"
                separator, in_group = b" ", True
                continue
            if in_group and address.mailbox is None:
                yield b";"
                separator, in_group = b", ", False
                continue
        yield separator + _text(address)
        separator = b", "


def _text(address: MailAddress) -> bytes:
    name = _phrase(address.name) + b" " if address.name else b""
    route = b"" if address.route is None else address.route + b":"
    mailbox = b"" if address.mailbox is None else _quoted(address.mailbox, _DOTTED)
    domain = b"" if address.domain is None else b"@" + address.domain
    return b"%s<%s%s%s>" % (name, route, mailbox, domain)


def _phrase(words: bytes) -> bytes:
    """Without quotes where an encoded word is among them, which stands in none (RFC 2047 §5)."""
    return words if b"=?" in words else _quoted(words, _ATOM)


def _quoted(word: bytes, plain: re.Pattern[bytes]) -> bytes:
    if plain.fullmatch(word):
        return word
    return b'"%s"' % word.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
