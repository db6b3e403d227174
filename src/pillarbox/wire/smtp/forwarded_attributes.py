"""XCLIENT and XFORWARD: what a trusted client says of the client it speaks for.

DESCRIPTION
    `parse_attributes()` takes the words behind the verb, `NAME=value`, values in xtext.  `[UNAVAILABLE]` says
    that there is no value, `[TEMPUNAVAIL]` of XCLIENT's names that there is none now.
    `forward_commands()` says the same to the next server.

FAULTS
    BadAttribute  with the text of the reply

STANDARDS
    XCLIENT_README; XFORWARD_README; RFC 3461 §4 (xtext)
"""

from ipaddress import IPv6Address, ip_address
from typing import Final

from pillarbox.vocabulary.digits import decimal
from pillarbox.vocabulary.ip_addresses import shown_address
from pillarbox.wire.smtp.dsn_parameters import decode_xtext
from pillarbox.wire.smtp.paths import is_host_name

XCLIENT: Final = (
    b"NAME",
    b"ADDR",
    b"PROTO",
    b"HELO",
    b"REVERSE_NAME",
    b"PORT",
    b"LOGIN",
    b"DESTADDR",
    b"DESTPORT",
)
XFORWARD: Final = (b"NAME", b"ADDR", b"PROTO", b"HELO", b"SOURCE", b"PORT", b"IDENT")
"""Attributes that are known, in the order in which EHLO names them."""

UNAVAILABLE: Final = b"[UNAVAILABLE]"
Forwarded = dict[bytes, bytes]
"""What is known of a client, by XFORWARD's names."""

_SAID: Final = (b"NAME", b"ADDR", b"PORT", b"HELO", b"IDENT", b"PROTO", b"SOURCE")
_ROOM: Final = 512 - len(b"250 XFORWARD\r\n")
"""Octets for the attributes of one command."""
_TEMPORARILY: Final = b"[TEMPUNAVAIL]"
NOT_NOW: Final = b""
"""A name that is not known now, as a value: otherwise none is empty."""
_LONGEST: Final = 255


class BadAttribute(Exception):
    """An attribute that is none."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self.text = text


def parse_attributes(
    words: list[bytes], known: tuple[bytes, ...], *, verb: bytes
) -> dict[bytes, bytes | None]:
    """Values by name; None where nothing is known, NOT_NOW where that may change.  BadAttribute."""
    found: dict[bytes, bytes | None] = {}
    for word in words:
        name, equals, text = word.partition(b"=")
        name = name.upper()
        if not equals or not text:
            raise BadAttribute(b"Error: attribute=value expected")
        if not name or name not in known:
            raise BadAttribute(b"Bad %s attribute name: %s" % (verb, name))
        try:
            value = decode_xtext(text)
        except ValueError:
            raise BadAttribute(b"Bad %s syntax: %s" % (name, text)) from None
        if len(value) > _LONGEST:
            raise BadAttribute(b"Error: attribute value too long")
        found[name] = _known(name, value, verb)
    return found


def forward_commands(told: Forwarded, wanted: frozenset[bytes]) -> list[bytes]:
    """XFORWARD commands that tell a server what it wants to know, also that we do not know it."""
    words = [
        b" %s=%s" % (name, _as_xtext(told[name]) if name in told else UNAVAILABLE)
        for name in _SAID
        if name in wanted
    ]
    commands: list[bytes] = []
    room = 0
    for word in words:
        if len(word) > room:
            commands.append(b"XFORWARD")
            room = _ROOM
        commands[-1] += word
        room -= len(word)
    return commands


def _as_xtext(value: bytes) -> bytes:
    """xtext, but that `=` stands for itself, as Postfix has it."""
    return b"".join(
        bytes((octet,)) if 0x21 <= octet <= 0x7E and octet != 0x2B else b"+%02X" % octet
        for octet in value[:_LONGEST]
    )


def _known(name: bytes, value: bytes, verb: bytes) -> bytes | None:
    """The value, checked, or that there is none."""
    told = value.upper()
    if verb == b"XCLIENT" and name == b"PROTO":
        return _checked(name, value, verb)
    if told == _TEMPORARILY and verb == b"XCLIENT" and name in (b"NAME", b"REVERSE_NAME"):
        return NOT_NOW
    return None if told == UNAVAILABLE else _checked(name, value, verb)


def _checked(name: bytes, value: bytes, verb: bytes) -> bytes:
    if name in (b"ADDR", b"DESTADDR"):
        return _address(name, value)
    if name in (b"NAME", b"REVERSE_NAME") and not is_host_name(value):
        raise BadAttribute(b"Bad %s syntax: %s" % (name, value))
    if name in (b"PORT", b"DESTPORT"):
        try:
            if decimal(value, max_digits=5) > 65535:
                raise ValueError
        except ValueError:
            raise BadAttribute(b"Bad %s syntax: %s" % (name, value)) from None
    if name == b"PROTO" and verb == b"XCLIENT" and value.upper() not in (b"SMTP", b"ESMTP"):
        raise BadAttribute(b"Bad %s syntax: %s" % (name, value))
    if name == b"SOURCE" and value.upper() not in (b"LOCAL", b"REMOTE"):
        raise BadAttribute(b"Bad %s syntax: %s" % (name, value))
    return value


def _address(name: bytes, value: bytes) -> bytes:
    """An IPv4 address, or an IPv6 address behind `IPv6:`; an IPv4 address in IPv6 form becomes IPv4."""
    text = value.decode("ascii", "replace")
    prefix, text = (text[:5], text[5:]) if text[:5].upper() == "IPV6:" else ("", text)
    try:
        address = ip_address(text)
        if isinstance(address, IPv6Address) != bool(prefix) or "%" in text:
            raise ValueError
    except ValueError:
        raise BadAttribute(b"Bad %s syntax: %s" % (name, value)) from None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return shown_address(str(address)).encode()
