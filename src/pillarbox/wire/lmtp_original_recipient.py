"""ORCPT, as Dovecot's LMTP server reads it, though it announces nothing of the kind.

DESCRIPTION
    A Dovecot that hands messages on by LMTP (a director or proxy) says so whom they were addressed to, where it has
    found out that somebody else has them, and asks no one whether that is understood.

FAULTS
    ValueError  the value is none; `str()` is the end of the reply

STANDARDS
    RFC 3461 §4 (xtext), §4.2
"""

import re
from typing import Final

from pillarbox.message.structured_fields import parse_addresses
from pillarbox.vocabulary.address import external_form

_TYPE: Final = re.compile(rb"([A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]+);")
_CHARACTERS: Final = re.compile(rb"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")
_HEX: Final = re.compile(rb"\+([0-9A-F]{2})")
_PRINTABLE: Final = re.compile(rb"[ -~]*")
_NO_DOMAIN: Final = (b"MISSING_DOMAIN", b"SYNTAX_ERROR")


def original_recipient(value: bytes | None) -> bytes:
    """The address in its external form; empty if it is one of another kind than RFC 822's."""
    if value is None:
        raise ValueError("Missing ORCPT= parameter value")
    kind = _TYPE.match(value)
    if kind is None:
        raise ValueError("Invalid addr-type for ORCPT= parameter")
    text = _decoded(value[kind.end() :])
    return _address(text) if kind[1].lower() == b"rfc822" else b""


def _decoded(text: bytes) -> bytes:
    """What xtext says; in ASCII, and nothing but text."""
    end = _CHARACTERS.match(text)
    if end is None or end.end() < len(text):
        raise ValueError("Invalid ORCPT= parameter: Invalid hexchar after '+' in xtext")
    if not text:
        raise ValueError("Invalid ORCPT= parameter: Empty address value")
    decoded = _HEX.sub(lambda found: bytes.fromhex(found[1].decode("ascii")), text)
    if _PRINTABLE.fullmatch(decoded) is None:
        raise ValueError("Invalid ORCPT= address value: Contains non-printable characters")
    return decoded


def _address(text: bytes) -> bytes:
    found = parse_addresses(text)
    if len(found) != 1 or found[0].mailbox in (None, b"", b"MISSING_MAILBOX"):
        raise ValueError("Invalid ORCPT= address value: Invalid RFC822 address")
    mailbox, domain = found[0].mailbox or b"", found[0].domain
    return external_form(mailbox if domain is None or domain in _NO_DOMAIN else mailbox + b"@" + domain)
