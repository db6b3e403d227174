"""What a dovecot-uidlist says: its header and its lines, as octets and as values.

DESCRIPTION
        3 V1795354878 N5 G3b5d2d02fef0026bac1c000083ecc375
        1 :1795354878.M35176P7340.vm,S=60,W=66
        4 G1795354946.M899474P7920.vm,S=244,W=256 :1795354946.M902490P7920.vm,S=244,W=256

    The header has UIDVALIDITY, a lower bound of the next UID, the mailbox's GUID and perhaps fields that we
    only keep.  A line has a UID, fields (`G` message GUID, `P` UIDL, `O` order, `S`, `W` sizes) and the base of
    the file's name.  UIDs rise; a line whose UID does not, or that cannot be read, is passed over.

STANDARDS
    Dovecot 2.3, Maildir format; version 1 (Courier, Dovecot 1.0) is read
"""

import re
from typing import Final

import msgspec

from pillarbox.vocabulary.digits import decimal, is_decimal
from pillarbox.vocabulary.number_set import MAX_NUMBER

LINE: Final = b"%d %s:%s\n"
"""A line, for its UID, its fields, each with a blank behind it, and its base."""

_LINE: Final = re.compile(rb"(\d{1,10}) ((?:[A-Z][^ \n]* )*):([^\n/]+)\n")
_LINE_V1: Final = re.compile(rb"(\d{1,10}) ([^\n/]+)\n")
_GUID: Final = re.compile(rb"[0-9a-f]{32}")
_FIELD: Final = re.compile(rb" ([A-Za-z])([^ \n]*)")


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One line."""

    uid: int
    base: bytes
    fields: bytes = b""
    """`G… W… `, each with a blank behind it; empty for most."""


class Header(msgspec.Struct, frozen=True):
    """The first line."""

    uid_validity: int
    """0 if it has none that can be one; then there is no next UID either."""
    next_uid: int
    guid: bytes = b""
    """Empty if it has none."""
    other_fields: bytes = b""
    """Those that we only keep: ` P%v.%u`."""

    def line(self) -> bytes:
        """As it stands in a file of version 3."""
        return b"3 V%d N%d G%s%s\n" % (self.uid_validity, self.next_uid, self.guid, self.other_fields)


def read_header(line: bytes) -> Header | None:
    """`3 V<uid validity> N<next uid> G<guid>`, or `1 <uid validity> <next uid>`; None if it is neither."""
    version, _, rest = line.rstrip(b"\n").partition(b" ")
    if version == b"1":
        validity, _, next_uid = rest.partition(b" ")
        numbers = _numbers(validity, next_uid)
        return Header(*numbers) if numbers[0] else None
    if version != b"3":
        return None
    values: dict[bytes, bytes] = {}
    other_fields = b""
    for letter, value in _FIELD.findall(b" " + rest):
        if letter in b"VNG":
            values[letter] = value
        else:
            other_fields += b" " + letter + value
    guid = values.get(b"G", b"")
    numbers = _numbers(values.get(b"V", b""), values.get(b"N", b""))
    return Header(*numbers, guid if _GUID.fullmatch(guid) else b"", other_fields)


def _numbers(validity: bytes, next_uid: bytes) -> tuple[int, int]:
    """UIDVALIDITY and the next UID; (0, 0) if one of them is none."""
    if not (is_decimal(validity, max_digits=10) and is_decimal(next_uid, max_digits=10)):
        return 0, 0
    value = decimal(validity)
    return (value, decimal(next_uid)) if 0 < value <= MAX_NUMBER else (0, 0)


def lines_of_version_3(lines: bytes) -> bytes:
    """Lines of version 1, as version 3 writes them."""
    return _LINE_V1.sub(rb"\1 :\2\n", lines)


def read_lines(
    content: bytes, position: int, end: int, *, last: int, uids: dict[bytes, int], fields: dict[int, bytes]
) -> tuple[int, bool]:
    """Put whole lines into base → UID and UID → fields; the last UID, and whether all lines could be used.

    `last` is the UID before them.
    """
    are_whole = True
    while position < end:
        match = _LINE.match(content, position)
        if match is None:
            are_whole = False
            position = content.find(b"\n", position) + 1
            continue
        position = match.end()
        digits, texts, base = match.groups()
        uid = decimal(digits)
        if uid <= last or uid > MAX_NUMBER:
            are_whole = False
            continue
        last = uid
        uids[base] = uid
        if texts:
            fields[uid] = texts
    return last, are_whole


def uid_in(octets: bytearray, base: bytes) -> int:
    """The UID of the last line with that base; 0 if there is none."""
    end = len(octets)
    while (at := octets.rfind(b" :%b\n" % base, 0, end)) >= 0:
        line = _LINE.match(octets, octets.rfind(b"\n", 0, at) + 1)
        if line is not None and line[3] == base:
            return decimal(bytes(line[1]))
        end = at + 1
    return 0
