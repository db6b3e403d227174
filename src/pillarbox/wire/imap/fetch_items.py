"""What FETCH asks for: `fetch-att`, as values.

STANDARDS
    RFC 3501 §6.4.5, §9 (fetch-att, section); RFC 3516 §4 (BINARY)
"""

from collections.abc import Iterable
from enum import Enum
from typing import Final

import msgspec


class Item(Enum):
    """The parts of a message that have a fixed form; the value is the name on the wire."""

    UID = b"UID"
    FLAGS = b"FLAGS"
    INTERNAL_DATE = b"INTERNALDATE"
    SIZE = b"RFC822.SIZE"
    ENVELOPE = b"ENVELOPE"
    BODY = b"BODY"
    BODY_STRUCTURE = b"BODYSTRUCTURE"
    MODSEQ = b"MODSEQ"  # RFC 7162 §3.1.4.2
    SAVE_DATE = b"SAVEDATE"  # RFC 8514
    PREVIEW = b"PREVIEW"  # RFC 8970
    FUZZY_PREVIEW = b"PREVIEW (FUZZY)"  # its draft's
    SNIPPET = b"SNIPPET"  # its draft's older name
    EMAIL_ID = b"EMAILID"  # RFC 8474
    THREAD_ID = b"THREADID"
    GUID = b"X-GUID"  # Dovecot's own, and those below
    MAILBOX = b"X-MAILBOX"
    SAVE_DATE_BEFORE_RFC = b"X-SAVEDATE"
    REAL_UID = b"X-REAL-UID"


_LONG: Final = frozenset((Item.ENVELOPE, Item.BODY, Item.BODY_STRUCTURE))


def in_order(items: Iterable[Item]) -> tuple[Item, ...]:
    """Items in the order of the answer: the short ones first, as Dovecot does."""
    return tuple(sorted(items, key=_LONG.__contains__))


class SectionPart(Enum):
    """`section-text`, and nothing at all."""

    ALL = b""
    HEADER = b"HEADER"
    HEADER_FIELDS = b"HEADER.FIELDS"
    HEADER_FIELDS_NOT = b"HEADER.FIELDS.NOT"
    TEXT = b"TEXT"
    MIME = b"MIME"


class Section(msgspec.Struct, frozen=True):
    """`"BODY" [".PEEK"] section ["<" number "." nz-number ">"]`, RFC822 and its kin, or BINARY (RFC 3516)

    `label` is how the answer names it: `BODY[1.MIME]`, `RFC822.TEXT`.
    """

    label: bytes
    path: tuple[int, ...] = ()
    part: SectionPart = SectionPart.ALL
    fields: tuple[bytes, ...] = ()  # header-list as the client spelled it
    partial: tuple[int, int] | None = None  # first octet, number of octets
    peek: bool = False
    decoded: bool = False  # BINARY: without the transfer encoding
    only_size: bool = False  # BINARY.SIZE


class FetchItems(msgspec.Struct, frozen=True):
    """Everything one FETCH asks for, in the order of the answer; only sections may be repeated, as with Dovecot."""

    items: tuple[Item, ...]
    sections: tuple[Section, ...] = ()

    @property
    def marks_seen(self) -> bool:
        """Whether the messages get \\Seen: "BODY[…] … The \\Seen flag is implicitly set"."""
        return any(not section.peek for section in self.sections)
