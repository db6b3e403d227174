"""The ENVELOPE of a message, as it goes on the wire.

DESCRIPTION
    `render_envelope(header)` gives `(date subject from sender reply-to to cc bcc in-reply-to message-id)`
    with every string quoted or literal as Dovecot 2.3 writes it (message/imap_strings.py).  It is rendered
    once, when the message is first seen, and kept in the cache.

    A missing Sender or Reply-To is From's (RFC 3501 §7.4.2).  When a field occurs twice, the last one counts,
    but addresses add up.

STANDARDS
    RFC 3501 §7.4.2 (ENVELOPE)
"""

import re
from functools import lru_cache
from typing import Final

from pillarbox.message.imap_strings import NIL, human_string, nstring, string
from pillarbox.message.structured_fields import MailAddress, parse_addresses

_FIELDS: Final = re.compile(
    rb"\n((?i:date|subject|from|sender|reply-to|to|cc|bcc|in-reply-to|message-id))[ \t]*:"
    rb"((?>(?:[^\n]*\n[ \t])*)[^\n]*)"
)
# One line of printable ASCII without quotes and backslashes: nothing to think about.
_PLAIN_LINE: Final = re.compile(rb"[ \t]*+([!#-\[\]-~][ !#-\[\]-~]*+)\r?")
_BLANK_END: Final = re.compile(rb"\r?\n(?=[ \t]\Z)")
MAX_REMEMBERED: Final = 200
"""Octets of an address field that is rendered once only: the same few people write to a mailbox."""


def render_envelope(header: bytes) -> bytes:
    """The ENVELOPE of the message with this header."""
    found: list[tuple[bytes, bytes]] = _FIELDS.findall(b"\n" + header)
    values = {name.lower(): value for name, value in found}
    if not values:
        return b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"
    if len(values) < len(found):
        return _render(values, _repeated(found))
    return _render(values, {})


def render_fields(values: dict[bytes, bytes]) -> bytes:
    """The same of fields that were found already, none of them twice: lower-case name → value as it stands."""
    return _render(values, {})


def _render(values: dict[bytes, bytes], repeated: dict[bytes, list[bytes]]) -> bytes:
    def addresses(name: bytes, default: bytes = NIL) -> bytes:
        value = values.get(name)
        if value is None:
            return default
        if name in repeated:
            return _rendered(repeated[name]) or default
        return (_remembered(value) if len(value) <= MAX_REMEMBERED else _rendered([value])) or default

    subject = values.get(b"subject")
    sender = addresses(b"from")
    return b"(%s %s %s %s %s %s %s %s %s %s)" % (
        _verbatim(values.get(b"date")),
        NIL if subject is None else human_string(subject.removesuffix(b"\r").lstrip(b" \t")),
        sender,
        addresses(b"sender", sender),
        addresses(b"reply-to", sender),
        addresses(b"to"),
        addresses(b"cc"),
        addresses(b"bcc"),
        _verbatim(values.get(b"in-reply-to")),
        _verbatim(values.get(b"message-id")),
    )


def one_line(value: bytes) -> bytes:
    """A field's value without line ends and without the white space before it.

    Of a first line that is nothing but white space only the first is taken off, as Dovecot does.
    """
    value = value.removesuffix(b"\r")
    if b"\n" not in value:
        return value.lstrip(b" \t") or value[1:]
    first, _, rest = value.partition(b"\n")
    first = first.removesuffix(b"\r")
    return (first.lstrip(b" \t") or first[1:]) + rest.replace(b"\r\n", b"")


def _folded(value: bytes) -> bytes:
    """A field's value as it stands, without the line end behind it, nor one that only a single blank follows."""
    value = value.removesuffix(b"\r")
    return _BLANK_END.sub(b"", value) if b"\n" in value else value


def _verbatim(value: bytes | None) -> bytes:
    if value is None:
        return NIL
    plain = _PLAIN_LINE.fullmatch(value)
    return b'"%s"' % plain[1] if plain is not None else string(one_line(value))


def _repeated(found: list[tuple[bytes, bytes]]) -> dict[bytes, list[bytes]]:
    """Every value of the fields that occur more than once, in order."""
    values: dict[bytes, list[bytes]] = {}
    for name, value in found:
        values.setdefault(name.lower(), []).append(value)
    return {name: several for name, several in values.items() if len(several) > 1}


def _rendered(values: list[bytes]) -> bytes:
    addresses = [_address(address) for value in values for address in parse_addresses(_folded(value))]
    return b"(%s)" % b"".join(addresses) if addresses else b""


@lru_cache(maxsize=4096)
def _remembered(value: bytes) -> bytes:
    return _rendered([value])


def _address(address: MailAddress) -> bytes:
    return b"(%s %s %s %s)" % (
        NIL if address.name is None else human_string(address.name),
        nstring(address.route),
        nstring(address.mailbox),
        nstring(address.domain),
    )
