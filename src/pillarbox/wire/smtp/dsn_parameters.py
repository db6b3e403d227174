"""What MAIL and RCPT say of delivery status notifications: ENVID, NOTIFY and ORCPT.

FAULTS
    ValueError  the value is none

STANDARDS
    RFC 3461 §4 (with §4, xtext); RFC 6533 §3 (utf-8 addresses)
"""

import re
from typing import Final

from pillarbox.vocabulary.envelope import Notify

_XTEXT_HEX: Final = re.compile(rb"\+([0-9A-Fa-f]{2})")
# `xchar` is without `=`, and hex digits are upper case; Postfix minds neither.
_XTEXT: Final = re.compile(rb"(?:[!-*,-~]|\+[0-9A-Fa-f]{2})*")
# RFC 6533 §3: utf-8-addr-unitext lets UTF-8 through as it is, \x{HEX} writes a code point.
_UTF8_HEX: Final = re.compile(rb"\\x\{([0-9A-F]{2,6})\}")
_ADDRESS_TYPE: Final = re.compile(rb"[!-:<-~]+")
_NOTIFY_TYPES: Final = {b"SUCCESS": Notify.SUCCESS, b"FAILURE": Notify.FAILURE, b"DELAY": Notify.DELAY}


def decode_xtext(text: bytes) -> bytes:
    """`xtext = *( xchar / hexchar )`  RFC 3461 §4.  ValueError: it is none, or hides a control."""
    if _XTEXT.fullmatch(text) is None:
        raise ValueError("bad xtext")
    decoded = _XTEXT_HEX.sub(lambda match: bytes.fromhex(match[1].decode("ascii")), text)
    if any(octet < 0x20 or octet == 0x7F for octet in decoded):
        raise ValueError("control character in xtext")
    return decoded


def parse_notify(value: bytes) -> Notify:
    """`notify-esmtp-value = "NEVER" / (notify-list-element *("," notify-list-element))`  RFC 3461 §4.1"""
    if value.upper() == b"NEVER":
        return Notify.NEVER
    notify = Notify.DEFAULT
    for word in value.upper().split(b","):
        if word:
            if word not in _NOTIFY_TYPES:
                raise ValueError("bad NOTIFY")
            notify |= _NOTIFY_TYPES[word]
    if not notify:
        raise ValueError("empty NOTIFY")
    return notify


def unknown_notify(value: bytes) -> bytes:
    """The first word of NOTIFY's value that nobody knows; empty if there is none."""
    known = (b"NEVER", b"", *_NOTIFY_TYPES)
    return next((word for word in value.split(b",") if word.upper() not in known), b"")


def parse_original_recipient(value: bytes) -> bytes:
    """`original-recipient-address = addr-type ";" xtext`  RFC 3461 §4.2; utf-8 by RFC 6533 §3."""
    kind, semicolon, text = value.partition(b";")
    if not semicolon or _ADDRESS_TYPE.fullmatch(kind) is None:
        raise ValueError("bad ORCPT")
    if kind.lower() == b"utf-8":
        if any(octet <= 0x20 or octet == 0x7F for octet in text):
            raise ValueError("bad ORCPT")
        address = _UTF8_HEX.sub(_code_point, text)
        address.decode("utf-8")  # a UnicodeDecodeError is a ValueError
        return kind + b";" + address
    return kind + b";" + decode_xtext(text)


def _code_point(match: "re.Match[bytes]") -> bytes:
    number = int(match[1], 16)
    if number < 0x20 or number == 0x7F or 0xD800 <= number <= 0xDFFF or number > 0x10FFFF:
        raise ValueError("bad code point in ORCPT")
    return chr(number).encode("utf-8")
