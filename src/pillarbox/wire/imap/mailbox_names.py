"""Mailbox names on the wire: modified UTF-7 or UTF-8, and INBOX in any case.

DESCRIPTION
    A client that has enabled UTF8=ACCEPT or IMAP4rev2 writes and reads names in UTF-8 (`decode_utf8`), in which
    `&` is a character like others; all the rest are in modified UTF-7.

    `decode(b"Entw&APw-rfe")` is `Entwürfe`, `encode()` goes back.  The decoder takes the one spelling that
    the encoder makes: what could be written plainly, runs that touch, and padding that is not zero are
    refused, so that no two spellings name one mailbox.

FAULTS
    ValueError  not modified UTF-7, or not UTF-8.

STANDARDS
    RFC 3501 §5.1.3 (modified UTF-7), §5.1 ("INBOX is case-insensitive"); RFC 2152; RFC 9051 §5.1; RFC 9755 §3;
    RFC 5198 §2 (Net-Unicode)
"""

import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from typing import Final
from unicodedata import is_normalized

_SHIFTED: Final = re.compile(rb"&([A-Za-z0-9+,]*)-")
# C0, DEL and C1
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
_NOT_PRINTABLE: Final = re.compile(rb"[^\x20-\x7e]")
_NOT_PLAIN: Final = re.compile("[^\x20-\x7e]+")


def decode(name: bytes) -> str:
    """The name that modified UTF-7 spells, `INBOX` in capitals."""
    if _NOT_PRINTABLE.search(name) is not None:
        raise ValueError("mailbox name is not printable ASCII")
    if b"&" not in name:
        return _capital_inbox(name.decode("ascii"))
    decoded: list[str] = []
    position = 0
    for shifted in _SHIFTED.finditer(name):
        decoded.append(name[position : shifted.start()].decode("ascii"))
        decoded.append(_decode_shifted(shifted[1]) if shifted[1] else "&")
        position = shifted.end()
    decoded.append(name[position:].decode("ascii"))
    text = "".join(decoded)
    if encode(text) != name:  # an "&" left over, a run that need not be, runs that touch
        raise ValueError("mailbox name is not valid modified UTF-7")
    return _capital_inbox(text)


def decode_utf8(name: bytes) -> str:
    """The name that UTF-8 spells, `INBOX` in capitals."""
    text = name.decode("utf-8")
    if _CONTROL.search(text) is not None:
        raise ValueError("mailbox name has control characters")
    return _capital_inbox(text)


def encode_utf8(name: str) -> bytes:
    """UTF-8 for a name."""
    return name.encode("utf-8")


def is_net_unicode(name: str) -> bool:
    """Whether a new mailbox may be called so (RFC 9051 §5.1, RFC 5198 §2: normalised, without controls)."""
    return is_normalized("NFC", name) and not any(control in name for control in "\u2028\u2029")


def encode(name: str) -> bytes:
    """Modified UTF-7 for a name."""
    if name.isascii() and name.isprintable():
        return name.replace("&", "&-").encode("ascii")
    return _NOT_PLAIN.sub(_shift, name.replace("&", "&-")).encode("ascii")


def _decode_shifted(base64: bytes) -> str:
    padded = base64.replace(b",", b"/") + b"=" * (-len(base64) % 4)
    try:
        return a2b_base64(padded, strict_mode=True).decode("utf-16-be")
    except (Base64Error, UnicodeDecodeError) as problem:
        raise ValueError("mailbox name is not valid modified UTF-7") from problem


def _shift(run: re.Match[str]) -> str:
    base64 = b2a_base64(run[0].encode("utf-16-be"), newline=False).decode("ascii")
    return "&" + base64.rstrip("=").replace("/", ",") + "-"


def _capital_inbox(name: str) -> str:
    if name[:5].upper() != "INBOX" or not name[:5].isascii():
        return name
    if len(name) == 5:
        return "INBOX"
    # Only INBOX itself is case-insensitive; its children are spelled under it.
    return "INBOX" + name[5:] if name[5] == "/" else name
